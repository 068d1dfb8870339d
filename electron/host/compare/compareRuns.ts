import { withAnswerChanges } from '../../../workloads/catalog/answerChanges.ts';
import { findTarget } from '../../../workloads/catalog/catalog.ts';
import { formatMetric, withSeparators } from '../../../workloads/metrics/format.ts';
import type { RunSpec } from '../../../workloads/run/spec.ts';
import type { Comparison } from '../../contract/protocol.ts';
import { RunFailure } from '../../shared/runFailure.ts';
import type { Tasks } from '../../shared/tasks.ts';
import type { HeavyTasks } from '../heavyTasks.ts';
import { numbers, query, type RowSource, texts } from '../store/duckdb.ts';
import type { ManifestOf } from '../store/manifest.ts';
import { differencesOf } from './specDifferences.ts';
import type { SummaryHead } from './summaryHead.ts';

type ServingManifest = ManifestOf<RunSpec>;

/** One side of a comparison. */
export interface ComparedRun {
  readonly manifest: ServingManifest;
  readonly summary: SummaryHead;
  readonly requests: RowSource | undefined;
}

export interface InstanceShare {
  readonly instance: number;
  readonly requests: number;
}

/** An instance that took more than this share of the requests has collapsed the cluster onto itself. */
const collapse = 0.9;

export async function compareRuns(
  tasks: HeavyTasks,
  baseline: ComparedRun,
  optimized: ComparedRun,
): Promise<Comparison> {
  const a = requestsOf(baseline);
  const b = requestsOf(optimized);
  const { comparison: found, verification } = await tasks.ask('compare', {
    baseline: await columnsOf(a, hasAnswers(baseline)),
    optimized: await columnsOf(b, hasAnswers(optimized)),
    seed: baseline.manifest.spec.seed,
    ...commonWindow(baseline.summary, optimized.summary),
    verdict: {
      claims: claimsOf(baseline.manifest.spec.target),
      overloaded: [
        overloaded('baseline', baseline.summary),
        overloaded('the other', optimized.summary),
      ].flat(),
    },
  });
  const perturbed = perturbedSides(baseline.manifest, optimized.manifest);
  return {
    baseline: baseline.manifest.run,
    optimized: optimized.manifest.run,
    verdict:
      perturbed.length > 0
        ? `No verdict: ${perturbed.join(' and ')} went on inside a profiler.`
        : `${found.verdict}${refusals(baseline.summary, optimized.summary)}${adequacy(baseline.summary, optimized.summary)}${perGpuHour(baseline, optimized)}${fairBaseline(baseline.manifest)}`,
    rows: found.rows.map((row) => ({
      ...row,
      ci95: [row.ci95[0], row.ci95[1]],
      ...(perturbed.length > 0 ? { verdict: 'no_evidence' as const } : {}),
    })),
    method: found.method,
    verification: withAnswerChanges(verification, [baseline.manifest.spec, optimized.manifest.spec]),
    differences: differencesOf(baseline.manifest, optimized.manifest),
    warnings: [
      ...pairWarnings(baseline.manifest, optimized.manifest),
      ...(await runWarnings('baseline', baseline, a)),
      ...(await runWarnings('optimized', optimized, b)),
      ...found.warnings,
    ],
  };
}

function requestsOf({ manifest, requests }: ComparedRun): RowSource {
  if (requests !== undefined) return requests;
  throw new RunFailure({
    code: 'bad_input',
    message: `run ${manifest.run} kept no request rows, and a comparison needs them`,
    hint: 'Run it again with --detail requests=all.',
  });
}

/** Where a device computed the answers, the table tells them apart. */
const hasAnswers = ({ manifest }: ComparedRun): boolean =>
  manifest.spec.cluster.instances.some(({ serves }) => serves === 'gpu');

async function columnsOf(
  source: RowSource,
  answers: boolean,
): Promise<Tasks['compare']['question']['baseline']> {
  const latencies = ['ttft_ms', 'tpot_ms', 'e2e_ms', 'queue_ms'];
  const found = await query(
    source.instance,
    `SELECT iteration, request, arrival_ns::DOUBLE AS arrival_ns, finish_ns::DOUBLE AS finish_ns,
       ${latencies.join(', ')}, good::INTEGER AS good,
       status, prompt_tokens, output_tokens${answers ? ', answer_hash' : ''} FROM ${source.from} ORDER BY iteration, request`,
  );
  const column = (name: string) => numbers(found, name);
  return {
    rows: found.rows,
    iteration: column('iteration'),
    request: column('request'),
    arrival_ns: column('arrival_ns'),
    finish_ns: column('finish_ns'),
    ttft_ms: column('ttft_ms'),
    tpot_ms: column('tpot_ms'),
    e2e_ms: column('e2e_ms'),
    queue_ms: column('queue_ms'),
    good: column('good'),
    status: texts(found, 'status'),
    prompt_tokens: column('prompt_tokens'),
    output_tokens: column('output_tokens'),
    ...(answers ? { answer_hash: column('answer_hash') } : {}),
  };
}

type Captured = Pick<ServingManifest, 'captured'>;

/** Sides whose latencies say how a profiler slowed them, not how the target serves. */
export const perturbedSides = (a: Captured, b: Captured): string[] => [
  ...(a.captured?.perturbs === true ? [`the baseline run (${a.captured.tool})`] : []),
  ...(b.captured?.perturbs === true ? [`the optimized run (${b.captured.tool})`] : []),
];

function pairWarnings(a: ServingManifest, b: ServingManifest): string[] {
  const warnings: string[] = perturbedSides(a, b).map(
    (side) => `Captured: ${side} was slowed by the profiler; its latencies count for no verdict.`,
  );
  if (a.spec.target !== b.spec.target)
    warnings.push(`Unlike targets: ${a.spec.target} and ${b.spec.target}.`);
  if (JSON.stringify(a.spec.traffic) !== JSON.stringify(b.spec.traffic))
    warnings.push('Unlike traffic: the two runs did not serve the same requests.');
  if (a.spec.seed !== b.spec.seed) warnings.push(`Unlike seeds: ${a.spec.seed} and ${b.spec.seed}.`);
  if (a.spec.engine !== b.spec.engine)
    warnings.push(`Unlike engines: ${a.spec.engine} and ${b.spec.engine}.`);
  if (a.spec.iterations !== b.spec.iterations)
    warnings.push(`Unlike replicates: ${a.spec.iterations} and ${b.spec.iterations}.`);
  if (a.spec.engine === 'http' && b.spec.engine === 'http' && a.spec.iterations === 1)
    warnings.push(
      'One replicate each, one after the other: what changed on the servers in between looks like a difference. Three replicates or more take turns (A B A B …).',
    );
  return warnings;
}

const claimsOf = (target: string): readonly string[] => findTarget(target)?.claims ?? [];

/** The window that both sides measured, after the longer warm-up. Absent if a run is too short for one, or of an earlier version. */
function commonWindow(a: SummaryHead, b: SummaryHead): { window?: { from: number; to: number } } {
  const windows = [a.window, b.window];
  const known = windows.flatMap((window) =>
    window === undefined || window.rule === 'whole' ? [] : [window],
  );
  if (known.length < 2) return {};
  const from = Math.max(...known.map(({ from_s }) => from_s)) * 1e9;
  const to = Math.min(...known.map(({ to_s }) => to_s)) * 1e9;
  return to > from ? { window: { from, to } } : {};
}

function overloaded(side: string, { overload }: SummaryHead) {
  if (overload === undefined) return [];
  return [{ side, arrivedRps: overload.arrived_rps, servedRps: overload.served_rps }];
}

/** What a fleet is about, where the target says so: sums of a run have no interval. */
function perGpuHour(a: ComparedRun, b: ComparedRun): string {
  if (!claimsOf(a.manifest.spec.target).includes('good_per_gpu_hour')) return '';
  const [left, right] = [a.summary.fleet?.good_per_gpu_hour, b.summary.fleet?.good_per_gpu_hour];
  if (left === undefined || right === undefined) return '';
  const figure = (value: number): string => formatMetric('good_per_gpu_hour', value);
  return ` Good requests per GPU-hour: ${figure(left)} and ${figure(right)} (one figure per run: no interval).`;
}

/** A baseline that was left untuned makes any technique look better than it is. */
function fairBaseline({ spec }: ServingManifest): string {
  const fair = findTarget(spec.target)?.fairBaseline;
  if (fair === undefined || fair.insteadOf !== spec.variant) return '';
  return ` The baseline is not tuned (${fair.why}): compare with variant ${fair.variant} too.`;
}

/** A run that rejects requests serves the others sooner, so the verdict names the difference in rejections. */
function refusals(a: SummaryHead, b: SummaryHead): string {
  const share = ({ requests }: SummaryHead): number =>
    (requests?.['rejected'] ?? 0) / Math.max(1, requests?.['arrived'] ?? 0);
  const [left, right] = [share(a), share(b)];
  if (Math.abs(left - right) < 0.01) return '';
  const percent = (part: number): string => formatMetric('good_share', part);
  return ` Refused: ${percent(left)} of the requests by the baseline, ${percent(right)} by the other.`;
}

/** Smaller models are faster, and some answers fall short: likewise. */
function adequacy(a: SummaryHead, b: SummaryHead): string {
  const [left, right] = [a.quality?.adequate_share, b.quality?.adequate_share];
  if (left === undefined || right === undefined || left === right) return '';
  const percent = (part: number): string => formatMetric('adequate_share', part);
  return ` Adequately answered: ${percent(left)} of the requests by the baseline, ${percent(right)} by the other.`;
}

async function runWarnings(side: string, run: ComparedRun, requests: RowSource): Promise<string[]> {
  const { status } = run.manifest;
  const warnings: string[] = [];
  if (status !== 'done') warnings.push(`The ${side} run is ${status}: its figures cover only what it did.`);
  const { arrived = 0, rejected = 0, unfinished = 0 } = run.summary.requests ?? {};
  if (arrived > 0 && rejected >= arrived) warnings.push(`The ${side} run rejected every request.`);
  else if (rejected > arrived / 100)
    warnings.push(
      `The ${side} run refused ${withSeparators(String(rejected))} of ${withSeparators(String(arrived))} requests: its latencies are those of the requests that it let in.`,
    );
  if (status === 'done' && unfinished > 0)
    warnings.push(`${unfinished} requests of the ${side} run never finished.`);
  const shares = await prefillShares(requests);
  const total = shares.reduce((sum, share) => sum + share.requests, 0);
  const most = shares[0];
  if (most !== undefined && run.manifest.spec.cluster.instances.length > 1 && total >= 20) {
    const share = most.requests / total;
    const able = run.manifest.spec.cluster.instances.filter(({ pool }) => pool !== 'decode').length;
    if (share > collapse && able > 1)
      warnings.push(
        `The ${side} run collapsed onto instance ${most.instance}: it took ${(share * 100).toFixed(1)} % of the requests.`,
      );
  }
  return warnings;
}

async function prefillShares(requests: RowSource): Promise<InstanceShare[]> {
  const found = await query(
    requests.instance,
    `SELECT prefill_instance AS instance, count(*)::DOUBLE AS n FROM ${requests.from}
     WHERE prefill_instance IS NOT NULL GROUP BY 1 ORDER BY n DESC, 1`,
  );
  const counts = numbers(found, 'n');
  return Array.from(numbers(found, 'instance'), (instance, i) => ({ instance, requests: counts[i] ?? 0 }));
}
