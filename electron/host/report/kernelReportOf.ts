import { isKernelSummary } from '../../shared/kinds/kernels.ts';
import { RunFailure } from '../../shared/runFailure.ts';
import type { ReportedPair } from '../kinds/hostKind.ts';
import { benchCommand, runCommand } from '../runs/repeatCommand.ts';
import type { RunReads } from '../runs/runReads.ts';
import { type KernelReportRun, kernelReport, type MeasuredIteration } from './kernelReport.ts';

/** A bundle of kernels keeps at most this many rows of each table in its report. */
const mostRows = 10_000;

/** The report of runs that measured kernels: of one run (given twice) or of two. */
export async function kernelReportOf(
  reads: RunReads,
  { baseline, optimized, version }: ReportedPair,
): Promise<string> {
  const made = new Date().toISOString();
  const first = await gather(reads, baseline);
  const isOneRun = baseline === optimized;
  const title = first.info.title === '' ? first.info.target : first.info.title;
  const { command } = first;
  if (isOneRun && Object.keys(first.summary.variants).length < 2)
    return kernelReport({ title, made, version, runs: [first], command });
  const comparison = await reads.compare(baseline, optimized);
  if (isOneRun) return kernelReport({ title, made, version, runs: [first], comparison, command });
  return kernelReport({
    title,
    made,
    version,
    runs: [first, await gather(reads, optimized)],
    comparison,
    command: benchCommand(await reads.manifest(baseline), await reads.manifest(optimized)),
  });
}

async function gather(reads: RunReads, run: string): Promise<KernelReportRun> {
  const { info, manifest, summary } = await reads.open(run);
  if (typeof summary !== 'object' || summary === null || !isKernelSummary(summary))
    throw new RunFailure({
      code: 'bad_input',
      message: `run ${run} has no summary: there is nothing to report`,
    });
  const column = async (table: 'kernels' | 'spans', kind: string, names: readonly string[]) => {
    const { columns } = await reads.rows({
      run,
      table,
      filter: [{ column: 'kind', op: '=', value: kind }],
      order: 'start_ns',
      offset: 0,
      limit: mostRows,
    });
    return names.map((name) => columns.find((each) => each.name === name)?.values ?? []);
  };
  const iterations: Record<string, MeasuredIteration[]> = {};
  const [round, variants, start, took] = await column('kernels', 'iteration', [
    'iteration',
    'variant',
    'start_ns',
    'duration_ns',
  ]);
  for (const [i, value] of (variants ?? []).entries()) {
    if (round?.[i] === null || round?.[i] === undefined) continue;
    const variant = String(value);
    iterations[variant] ??= [];
    iterations[variant].push({ startMs: Number(start?.[i]) / 1e6, ms: Number(took?.[i]) / 1e6 });
  }
  const [names, of, durations] = await column('spans', 'range', ['name', 'variant', 'duration_ns']);
  return {
    info,
    manifest,
    summary,
    iterations,
    spans: (names ?? []).map((name, i) => ({
      name: of?.[i] === null || of?.[i] === undefined ? String(name) : `${name} ${of[i]}`,
      ms: Number(durations?.[i]) / 1e6,
    })),
    command: runCommand(manifest),
  };
}
