import { RunFailure } from '../../shared/runFailure.ts';
import type { Client, Host } from '../host.ts';
import { benchCommand, runCommand } from '../runs/repeatCommand.ts';
import { type KernelReportRun, kernelReport, type MeasuredIteration } from './kernelReport.ts';

/** A bundle of kernels keeps at most this many rows of each table in its report. */
const mostRows = 10_000;

/** The report of runs that measured kernels: of one run (given twice) or of two. */
export async function kernelReportOf(
  host: Host,
  baseline: string,
  optimized: string,
  version: string,
): Promise<string> {
  const client = host.connect(() => undefined);
  const made = new Date().toISOString();
  try {
    const first = await gather(host, client, baseline);
    const isOneRun = baseline === optimized;
    const title = first.info.title === '' ? first.info.target : first.info.title;
    if (isOneRun && Object.keys(first.summary.variants).length < 2)
      return kernelReport({ title, made, version, runs: [first], command: first.command });
    const comparison = await host.request(client, 'runs.compare', { baseline, optimized });
    if (isOneRun)
      return kernelReport({ title, made, version, runs: [first], comparison, command: first.command });
    const second = await gather(host, client, optimized);
    return kernelReport({
      title,
      made,
      version,
      runs: [first, second],
      comparison,
      command: benchCommand(await host.manifestOf(baseline), await host.manifestOf(optimized)),
    });
  } finally {
    host.disconnect(client);
  }
}

async function gather(host: Host, client: Client, run: string): Promise<KernelReportRun> {
  const { info, manifest } = await host.request(client, 'runs.open', { run });
  const { summary } = await host.kernelRun(run);
  if (summary === undefined)
    throw new RunFailure({
      code: 'bad_input',
      message: `run ${run} has no summary: there is nothing to report`,
    });
  const column = async (table: 'kernels' | 'spans', kind: string, names: readonly string[]) => {
    const { columns } = await host.request(client, 'runs.rows', {
      run,
      table,
      filter: [{ column: 'kind', op: '=', value: kind }],
      order: 'start_ns',
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
    command: runCommand(await host.manifestOf(run)),
  };
}
