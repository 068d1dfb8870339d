import type { Summary } from '../../../workloads/run/summary.ts';
import { RunFailure } from '../../shared/runFailure.ts';
import type { ReportedPair } from '../kinds/hostKind.ts';
import { benchCommand, runCommand } from '../runs/repeatCommand.ts';
import type { RunReads } from '../runs/runReads.ts';
import { htmlReport } from './htmlReport.ts';
import {
  type ReportCdf,
  type ReportCdfMetric,
  type ReportRun,
  reportCdfMetrics,
  reportCdfPoints,
  reportSeries,
  reportSeriesWidth,
} from './reportInput.ts';

/** Gathers what the report of two runs that served requests (or of one, given twice) shows. */
export async function servingReportOf(
  reads: RunReads,
  { baseline, optimized, version }: ReportedPair,
): Promise<string> {
  const made = new Date().toISOString();
  const first = await gather(reads, baseline);
  if (baseline === optimized) {
    const title = `${first.info.target} · ${first.info.variant}`;
    return htmlReport({ title, made, version, runs: [first], command: first.command });
  }
  const second = await gather(reads, optimized);
  return htmlReport({
    title: first.info.title === '' ? first.info.target : first.info.title,
    made,
    version,
    runs: [first, second],
    comparison: await reads.compare(baseline, optimized),
    command: benchCommand(await reads.manifest(baseline), await reads.manifest(optimized)),
  });
}

async function gather(reads: RunReads, run: string): Promise<ReportRun> {
  const { info, manifest, summary, damage } = await reads.open(run);
  const [first] = damage;
  if (first !== undefined) throw new RunFailure({ code: 'bad_input', message: first });
  if (typeof summary !== 'object' || summary === null)
    throw new RunFailure({
      code: 'bad_input',
      message: `run ${run} has no summary: there is nothing to report`,
    });
  const cdf: Partial<Record<ReportCdfMetric, ReportCdf>> = {};
  for (const metric of reportCdfMetrics)
    cdf[metric] = await reads.cdf({ run, metric, points: reportCdfPoints });
  const { sources } = await reads.sources(run);
  const wanted = reportSeries(sources).map(({ source, metric }) => ({ source, metric }));
  const { series } = await reads.series({ run, series: wanted, width: reportSeriesWidth, iteration: 0 });
  // The manifest says that this run served requests, and its summary was checked when it was listed.
  return { info, manifest, summary: summary as Summary, cdf, series, command: runCommand(manifest) };
}
