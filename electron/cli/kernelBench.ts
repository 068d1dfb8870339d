import { defaultKernelRounds, type KernelTarget } from '../../workloads/catalog/kernelTargets.ts';
import { hardwareKey } from '../../workloads/harness/expectations/expectations.ts';
import { type KernelSummary, kernelVerdict } from '../../workloads/kernels/kernelSummary.ts';
import { formatMetric, formatRatio } from '../../workloads/metrics/format.ts';
import { metricLabel } from '../../workloads/metrics/registry.ts';
import { InputError } from '../../workloads/run/inputError.ts';
import type { Comparison } from '../contract/protocol.ts';
import { isKernelSummary } from '../shared/kinds/kernels.ts';
import type { BenchOptions } from './benchOptions.ts';
import { expectationLines, heldToExpectations } from './expectations.ts';
import { kernelFigures } from './expectedFigures.ts';
import { checkInputOptions } from './inputChecks.ts';
import { recordLines, recordOf } from './recordOptions.ts';
import { type Session, withSession } from './session.ts';
import { parametersOf } from './specOptions.ts';
import type { Terminal } from './terminal.ts';
import { textTable } from './textTable.ts';
import { unfinished } from './unfinished.ts';

/** Options that say how requests are served. */
const forServing = ['trace', 'slo', 'limit', 'speedup', 'detail', 'pace'];

/** Kernels of a target in turn on the GPU: one run, its medians, intervals and verification; with `--report` its report. */
export async function benchKernels(
  target: KernelTarget,
  options: BenchOptions,
  isGiven: (option: string) => boolean,
  terminal: Terminal,
  defaultVariants: readonly string[] = target.variants.map(({ id }) => id),
): Promise<number> {
  for (const option of forServing)
    if (isGiven(option)) throw new InputError(`--${option}: ${target.id} serves no requests`);
  if (isGiven('engine') && options.engine !== 'cuda')
    throw new InputError(`${target.id} does not run on engine ${options.engine}, expected one of cuda`);
  checkInputOptions(options.checkInputs, 'cuda');
  const variants = options.variant?.split(',').map((word) => word.trim());
  const record = recordOf(options);
  const planned = target.spec({
    variants: variants ?? defaultVariants,
    parameters: parametersOf(target, options.set ?? []),
    seed: options.seed,
    iterations: options.iterations ?? defaultKernelRounds,
    device: 0,
  });
  const spec = record === undefined ? planned : { ...planned, record };
  if (options.printSpec === true) {
    terminal.json([spec]);
    return 0;
  }
  return withSession(options, async (session) => {
    const job = await session.runToEnd(`${target.id}: ${spec.variants.join(', ')} in turn`, [spec], 'max');
    const run = job.runs[0]?.run;
    if (job.state !== 'done' || run === undefined) return unfinished(job, session, options, terminal);
    const summary = await kernelSummaryOf(session, run);
    const folder = session.host.folderOf(run);
    const isCompared = Object.keys(summary.variants).length > 1;
    const comparison = isCompared
      ? await session.request('runs.compare', { baseline: run, optimized: run })
      : undefined;
    if (options.report !== undefined)
      await session.request('runs.report', { baseline: run, optimized: run, path: options.report });
    const held = await heldToExpectations(
      {
        hardware: hardwareKey(summary.device.name),
        target: target.id,
        variants: spec.variants,
        specs: [spec],
        figures: kernelFigures(summary),
      },
      options,
    );
    if (options.json === true)
      terminal.json({
        ...summary,
        verdict: comparison?.verdict ?? kernelVerdict(summary),
        expectations: held,
        ...(comparison === undefined ? {} : { comparison: comparison.rows, method: comparison.method }),
        ...(options.report === undefined ? {} : { report: options.report }),
        runs: options.keep ? [{ run, folder }] : [],
      });
    else {
      terminal.print(
        [
          `${terminal.paint.bold(summary.target)} · ${summary.device.name} · ${summary.iterations} iterations each, in turn, after ${summary.warm_up} of warm-up`,
          '',
          kernelTable(summary),
          '',
          terminal.paint.bold(comparison?.verdict ?? kernelVerdict(summary)),
          `verification: ${summary.verification.status} (${summary.verification.method})`,
          ...(comparison === undefined ? [] : [terminal.paint.faint(comparison.method)]),
          ...recordLines(summary),
          ...expectationLines(held, options, terminal.paint),
        ].join('\n'),
      );
      terminal.note(options.keep ? `run: ${folder}` : 'the run bundle was not kept');
    }
    if (options.report !== undefined && options.json !== true) terminal.note(`report: ${options.report}`);
    if (!options.keep) await session.request('runs.delete', { runs: [run] });
    if (summary.verification.status === 'failed' || held.fails) return 1;
    // The counters that were asked for are missing; the measured times are kept.
    return summary.counters_refused === undefined ? 0 : 3;
  });
}

async function kernelSummaryOf(session: Session, run: string): Promise<KernelSummary> {
  const { summary } = await session.request('runs.open', { run });
  if (typeof summary !== 'object' || summary === null || !isKernelSummary(summary))
    throw new InputError(`run ${run} has no summary: it ended before anything was measured`);
  return summary;
}

function kernelTable({ variants }: KernelSummary): string {
  const base = variants['baseline']?.iteration_ms.median;
  return textTable(
    [
      { title: 'variant' },
      { title: 'median', align: 'right' },
      { title: '95 % CI', align: 'right' },
      { title: 'to baseline', align: 'right' },
      { title: 'TFLOP/s', align: 'right' },
      { title: 'host GB/s', align: 'right' },
      { title: 'launches', align: 'right' },
      { title: 'verified' },
    ],
    Object.entries(variants).map(([id, { iteration_ms: time, flop_per_s, host_bytes_per_s, ...rest }]) => [
      id,
      formatMetric('workload_ms', time.median),
      time.ci95 === undefined ? '' : `${time.ci95[0].toPrecision(4)}–${time.ci95[1].toPrecision(4)} ms`,
      base === undefined ? '' : formatRatio(time.median / base),
      flop_per_s === undefined ? '' : (flop_per_s / 1e12).toPrecision(3),
      host_bytes_per_s === undefined ? '' : (host_bytes_per_s / 1e9).toPrecision(3),
      String(rest.work.launches),
      rest.verification.length === 0
        ? 'not run'
        : rest.verification.every(({ ok }) => ok)
          ? `yes, worst ${Math.max(...rest.verification.map(({ worst }) => worst)).toPrecision(2)}`
          : 'NO',
    ]),
  );
}

/** Ratios of iteration times with their intervals. */
export function kernelRatioTable(
  { rows }: Comparison,
  names: readonly [string, string],
  paint: Terminal['paint'],
): string {
  return textTable(
    [
      { title: 'metric' },
      { title: names[0], align: 'right' },
      { title: names[1], align: 'right' },
      { title: 'ratio', align: 'right' },
      { title: '95 % CI', align: 'right' },
      { title: 'verdict' },
    ],
    rows.map((row) => [
      `${row.of === undefined ? '' : `${row.of} `}${metricLabel(row.metric)}`,
      formatMetric(row.metric, row.baseline),
      formatMetric(row.metric, row.optimized),
      formatRatio(row.ratio),
      `${row.ci95[0].toFixed(3)}–${row.ci95[1].toFixed(3)}`,
      row.verdict === 'no_evidence' ? paint.faint('no evidence') : row.verdict,
    ]),
  );
}
