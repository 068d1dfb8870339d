import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { catalog, findTarget } from '../../workloads/catalog/catalog.ts';
import { enginesOf } from '../../workloads/catalog/enginesOf.ts';
import { kernelTargets } from '../../workloads/catalog/kernelTargets.ts';
import type { InputCheck } from '../../workloads/harness/inputChecks.ts';
import { formatMetric, formatRatio } from '../../workloads/metrics/format.ts';
import { metricLabel } from '../../workloads/metrics/registry.ts';
import { InputError } from '../../workloads/run/inputError.ts';
import type { EngineId } from '../../workloads/run/spec.ts';
import type { Comparison } from '../contract/protocol.ts';
import type { ExpectationOutcome } from './expectations.ts';
import type { Terminal } from './terminal.ts';
import { textTable } from './textTable.ts';

type Row = Comparison['rows'][number];

/** What a bench says of a target's claim. */
export interface ClaimVerdict {
  readonly verdict: 'confirmed' | 'no effect' | 'reversed' | 'mixed';
  /** The figure of the claim that decides: the first significant one, else the first. */
  readonly lead?: Row;
  readonly reason: string;
}

/** One line of `bench all`. */
interface BenchRow {
  readonly target: string;
  readonly claim?: ClaimVerdict;
  readonly verification?: string;
  readonly wall_s?: number;
  readonly expectations?: Pick<ExpectationOutcome, 'status' | 'fails'>;
  readonly inputs?: readonly InputCheck[];
  /** Why there is no result. */
  readonly failure?: string;
}

const chapters = (): string[] => [...new Set([...catalog, ...kernelTargets].map(({ chapter }) => chapter))];

/** The targets that words name: `all`, chapters, ids. Undefined for a single target, which the caller benches itself. */
export function targetsNamed(words: readonly string[], engine: EngineId): readonly string[] | undefined {
  const [only] = words;
  const isGroup = (word: string): boolean => word === 'all' || chapters().includes(word);
  if (words.length < 2 && (only === undefined || !isGroup(only))) return undefined;
  const there: readonly { readonly id: string; readonly chapter: string }[] = [
    ...catalog.filter((target) => enginesOf(target).includes(engine)),
    ...kernelTargets.filter((target) => target.engines.includes(engine)),
  ];
  const ids = words.flatMap((word) => {
    if (!isGroup(word)) return [word];
    const found = there.filter(({ chapter }) => word === 'all' || chapter === word).map(({ id }) => id);
    if (found.length === 0) throw new InputError(`bench ${word}: no target of it runs on engine ${engine}`);
    return found;
  });
  return [...new Set(ids)];
}

export interface ManyOptions {
  readonly isJson: boolean;
  readonly engine: EngineId;
  /** They would stand in each other's way. */
  readonly oneByOne: boolean;
  /** The table says how they stand to their expectations. */
  readonly expects: boolean;
}

/**
 * Runs `dyno bench` for each target, as many at once as there are cores, and prints one table. Each is a process of its own: one that
 * fails says so in its line and leaves the others alone. Exit status 1 where a target failed, did not verify, or is worse than expected.
 */
export async function benchMany(
  ids: readonly string[],
  options: readonly string[],
  { isJson, engine, oneByOne, expects }: ManyOptions,
  terminal: Terminal,
): Promise<number> {
  const begin = performance.now();
  const rows: BenchRow[] = [];
  const waiting = [...ids];
  const work = async (): Promise<void> => {
    for (let id = waiting.shift(); id !== undefined; id = waiting.shift()) {
      const row = await benchOne(id, options);
      rows.push(row);
      terminal.note(`${rows.length} of ${ids.length}: ${id}: ${row.claim?.verdict ?? row.failure ?? 'done'}`);
    }
  };
  // What a device or a server serves is not measured beside another.
  const atOnce = engine === 'sim' && !oneByOne ? Math.max(1, availableParallelism()) : 1;
  await Promise.all(Array.from({ length: atOnce }, work));
  rows.sort((a, b) => ids.indexOf(a.target) - ids.indexOf(b.target));
  const wall_s = Math.round((performance.now() - begin) / 100) / 10;
  if (isJson) terminal.json({ engine, simulated: engine === 'sim', targets: rows, wall_s });
  else
    terminal.print(
      [table(rows, expects), '', ...reasons(rows), terminal.paint.faint(`${wall_s} s`)].join('\n'),
    );
  return rows.some(hasFailed) ? 1 : 0;
}

const hasFailed = ({ failure, verification, expectations, inputs }: BenchRow): boolean =>
  failure !== undefined ||
  verification === 'failed' ||
  expectations?.fails === true ||
  inputs?.some(({ status }) => status === 'failed') === true;

const table = (rows: readonly BenchRow[], expects: boolean): string =>
  textTable(
    [
      { title: 'target' },
      { title: 'claim' },
      { title: 'baseline', align: 'right' },
      { title: 'optimized', align: 'right' },
      { title: 'effect', align: 'right' },
      { title: '95 % CI' },
      { title: 'verdict' },
      { title: 'verification' },
      ...(expects ? [{ title: 'expectations' }] : []),
    ],
    rows.map(({ target, claim, verification, expectations, failure }) => {
      const lead = claim?.lead;
      const value = (side: number | undefined): string =>
        lead === undefined || side === undefined ? '–' : formatMetric(lead.metric, side);
      return [
        target,
        lead === undefined ? '–' : metricLabel(lead.metric),
        value(lead?.baseline),
        value(lead?.optimized),
        lead === undefined ? '–' : formatRatio(lead.ratio),
        lead?.ci95 === undefined ? '–' : lead.ci95.map((end) => end.toFixed(3)).join('–'),
        claim?.verdict ?? failure ?? '–',
        verification ?? '–',
        ...(expects ? [expectations?.status.replace('_', ' ') ?? '–'] : []),
      ];
    }),
  );

/** What stands behind the verdicts that are no plain confirmation. */
const reasons = (rows: readonly BenchRow[]): string[] =>
  rows.flatMap(({ target, claim, inputs, failure }) => [
    ...(failure !== undefined
      ? [`${target}: ${failure}`]
      : claim === undefined || claim.verdict === 'confirmed'
        ? []
        : [`${target}: ${claim.verdict}: ${claim.reason}`]),
    ...(inputs ?? [])
      .filter(({ status }) => status === 'failed')
      .map(({ variant, check, detail }) => `${target}: ${variant}: ${check} failed: ${detail}`),
  ]);

/** Judges a comparison by the metrics that the target's lesson is about; without any, by all that were compared. */
export function judged(rows: readonly Row[], claims: readonly string[], verdict: string): ClaimVerdict {
  const claimed = claims.flatMap((claim) =>
    rows.filter(({ metric }) => metric === claim || metric.startsWith(`${claim}.`)),
  );
  const all = claimed.length > 0 ? claimed : rows;
  // Under overload latencies say how long the run was: what is served decides.
  const looked = verdict.startsWith('Overloaded')
    ? rows.filter(({ metric }) => ['goodput_rps', 'throughput_rps'].includes(metric))
    : all;
  const better = looked.filter((row) => row.verdict === 'better');
  const worse = looked.filter((row) => row.verdict === 'worse');
  const [first] = looked;
  const lead = better[0] ?? worse[0] ?? first;
  const kind =
    better.length === 0 && worse.length === 0
      ? 'no effect'
      : worse.length === 0
        ? 'confirmed'
        : better.length === 0
          ? 'reversed'
          : 'mixed';
  return { verdict: kind, ...(lead === undefined ? {} : { lead }), reason: verdict };
}

interface BenchDocument {
  readonly comparison: readonly Row[];
  readonly verdict: string;
  /** Absent where the bench did not get to its end. */
  readonly verification?: { readonly status: string };
  readonly expectations?: ExpectationOutcome;
  readonly inputs?: readonly InputCheck[];
  readonly wall_s: number;
}

async function benchOne(id: string, options: readonly string[]): Promise<BenchRow> {
  const [program = ''] = process.argv.slice(1);
  const child = spawn(process.execPath, [program, 'bench', id, '--json', ...options], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  let words = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    words = (words + text).slice(-4000);
  });
  const status = await new Promise<number | null>((resolve) => {
    child.on('error', () => resolve(null));
    child.on('close', resolve);
  });
  const lastLine = words.split('\n').findLast((line) => line.startsWith('dyno:')) ?? '';
  let document: BenchDocument;
  try {
    document = JSON.parse(out) as BenchDocument;
  } catch {
    return { target: id, failure: lastLine.replace(/^dyno: /, '') || `ended with status ${status}` };
  }
  const { verification, expectations, inputs, wall_s } = document;
  // A run that was stopped, or whose simulator refused it, prints a document too.
  if (verification === undefined)
    return { target: id, failure: lastLine.replace(/^dyno: /, '') || `ended with status ${status}` };
  const about = {
    target: id,
    verification: verification.status,
    ...(expectations === undefined
      ? {}
      : { expectations: { status: expectations.status, fails: expectations.fails } }),
    ...(inputs === undefined ? {} : { inputs }),
    wall_s,
  };
  // Kernel targets have a ratio of their own, and their document says it.
  if (!Array.isArray(document.comparison)) return about;
  return { ...about, claim: judged(document.comparison, findTarget(id)?.claims ?? [], document.verdict) };
}
