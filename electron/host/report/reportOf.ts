import type { Summary } from '../../../workloads/run/summary.ts';
import { RunFailure } from '../../shared/runFailure.ts';
import type { Host } from '../host.ts';
import { benchCommand, runCommand } from '../runs/repeatCommand.ts';
import { isKernels } from '../store/manifest.ts';
import { htmlReport } from './htmlReport.ts';
import { kernelReportOf } from './kernelReportOf.ts';
import {
  type ReportCdf,
  type ReportCdfMetric,
  type ReportRun,
  reportCdfMetrics,
  reportCdfPoints,
  reportSeries,
  reportSeriesWidth,
} from './reportInput.ts';

/** Gathers what the report of a comparison (or of one run, given twice) shows. */
export async function reportOf(
  host: Host,
  baseline: string,
  optimized: string,
  version: string,
): Promise<string> {
  if (isKernels(await host.manifestOf(baseline))) return kernelReportOf(host, baseline, optimized, version);
  const client = host.connect(() => undefined);
  const made = new Date().toISOString();
  const gather = async (run: string): Promise<ReportRun> => {
    const { info, manifest, summary, damage } = await host.request(client, 'runs.open', { run });
    const [first] = damage;
    if (first !== undefined) throw new RunFailure({ code: 'bad_input', message: first });
    if (typeof summary !== 'object' || summary === null)
      throw new RunFailure({
        code: 'bad_input',
        message: `run ${run} has no summary: there is nothing to report`,
      });
    const cdf: Partial<Record<ReportCdfMetric, ReportCdf>> = {};
    for (const metric of reportCdfMetrics)
      cdf[metric] = await host.request(client, 'runs.cdf', { run, metric, points: reportCdfPoints });
    const { sources } = await host.request(client, 'runs.sources', { run });
    const wanted = reportSeries(sources).map(({ source, metric }) => ({ source, metric }));
    const { series } = await host.request(client, 'runs.series', {
      run,
      series: wanted,
      width: reportSeriesWidth,
    });
    return {
      info,
      manifest,
      summary: summary as Summary,
      cdf,
      series,
      command: runCommand(await host.manifestOf(run)),
    };
  };
  try {
    const first = await gather(baseline);
    if (baseline === optimized) {
      const title = `${first.info.target} · ${first.info.variant}`;
      return htmlReport({ title, made, version, runs: [first], command: first.command });
    }
    const second = await gather(optimized);
    const comparison = await host.request(client, 'runs.compare', { baseline, optimized });
    return htmlReport({
      title: first.info.title === '' ? first.info.target : first.info.title,
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
