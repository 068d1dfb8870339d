import type { HostQuestion, HostResults } from '../../contract/protocol.ts';
import type { Comparisons } from '../compare/comparisons.ts';
import { type Manifest, summaryName } from '../store/manifest.ts';
import { readSummary } from '../store/runIndex.ts';
import { cdfOf, decisionsOf, rowsOf, seriesOf, sourcesOf } from '../store/runQueries.ts';
import { damageOf } from '../store/verifyFiles.ts';
import type { RunShelf } from './runShelf.ts';

/** What can be read of runs, finished or going on. Windows, the command line and reports ask here. */
export class RunReads {
  private readonly shelf: RunShelf;
  private readonly comparisons: Comparisons;

  constructor(shelf: RunShelf, comparisons: Comparisons) {
    this.shelf = shelf;
    this.comparisons = comparisons;
  }

  async manifest(run: string): Promise<Manifest> {
    return (await this.shelf.find(run)).manifest;
  }

  /** Manifest, summary and head of a run; a summary whose file is damaged is left out and named. */
  async open(run: string): Promise<HostResults['runs.open'] & { readonly manifest: Manifest }> {
    const { folder, info, manifest } = await this.shelf.find(run);
    const damage = manifest.status === 'running' ? [] : await damageOf(folder, manifest);
    const isDamaged = damage.some(({ file }) => file === summaryName);
    return {
      info,
      manifest,
      summary: isDamaged ? undefined : await readSummary(folder),
      damage: damage.map(({ reason }) => reason),
    };
  }

  async series({ run, ...request }: HostQuestion<'runs.series'>): Promise<HostResults['runs.series']> {
    const samples = await this.shelf.table(run, 'samples');
    return { series: samples === undefined ? [] : await seriesOf(samples, request) };
  }

  async sources(run: string): Promise<HostResults['runs.sources']> {
    const samples = await this.shelf.table(run, 'samples');
    return { sources: samples === undefined ? [] : await sourcesOf(samples) };
  }

  async cdf({ run, metric, points }: HostQuestion<'runs.cdf'>): Promise<HostResults['runs.cdf']> {
    const requests = await this.shelf.table(run, 'requests');
    return requests === undefined ? { values: new Float64Array(0), n: 0 } : cdfOf(requests, metric, points);
  }

  async rows({ run, ...request }: HostQuestion<'runs.rows'>): Promise<HostResults['runs.rows']> {
    const source = await this.shelf.table(run, request.table);
    return source === undefined ? { columns: [], rows: 0, total: 0 } : rowsOf(source, request);
  }

  async decisions({
    run,
    request,
    iteration,
  }: HostQuestion<'runs.decisions'>): Promise<HostResults['runs.decisions']> {
    const source = await this.shelf.table(run, 'decisions');
    return source === undefined
      ? { columns: [], rows: 0, total: 0 }
      : decisionsOf(source, request, iteration);
  }

  compare(baseline: string, optimized: string): Promise<HostResults['runs.compare']> {
    return this.comparisons.compare(baseline, optimized);
  }
}
