import type { DecisionRow, FrameEvent } from '../../electron/contract/events.ts';
import { SampleSeries } from './sampleSeries.ts';

const keptDecisions = 200;

/** Everything drawable of one run, live or stored. Not React state: charts read it when they draw. */
export class RunData {
  readonly run: string;
  readonly decisions: DecisionRow[] = [];
  /** Goes up when anything came. */
  version = 0;
  /** Time of the latest sample, ms since the run's start. */
  endMs = 0;
  private readonly bySource = new Map<string, Map<string, SampleSeries>>();
  private readonly byKey: SampleSeries[] = [];

  constructor(run: string) {
    this.run = run;
  }

  series(source: string, metric: string): SampleSeries | undefined {
    return this.bySource.get(source)?.get(metric);
  }

  ensure(source: string, metric: string): SampleSeries {
    let metrics = this.bySource.get(source);
    if (metrics === undefined) {
      metrics = new Map();
      this.bySource.set(source, metrics);
    }
    let series = metrics.get(metric);
    if (series === undefined) {
      series = new SampleSeries();
      metrics.set(metric, series);
    }
    return series;
  }

  /** Everything as it is now; what comes later does not change it. */
  copy(): RunData {
    const copy = new RunData(this.run);
    for (const [source, metrics] of this.bySource)
      copy.bySource.set(source, new Map([...metrics].map(([metric, series]) => [metric, series.copy()])));
    copy.decisions.push(...this.decisions);
    copy.version = this.version;
    copy.endMs = this.endMs;
    return copy;
  }

  /** Sources that begin like this, in natural order: `pool:`, `instance:`. */
  sources(prefix: string): string[] {
    return [...this.bySource.keys()]
      .filter((source) => source.startsWith(prefix))
      .sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
  }

  apply(frame: FrameEvent): void {
    for (const { key, source, metric } of frame.keys) this.byKey[key] = this.ensure(source, metric);
    for (let row = 0; row < frame.key.length; row += 1) {
      const time = frame.time_ms[row] ?? 0;
      this.byKey[frame.key[row] ?? -1]?.append(time, frame.value[row] ?? Number.NaN);
      if (time > this.endMs) this.endMs = time;
    }
    this.decisions.push(...frame.decisions);
    if (this.decisions.length > keptDecisions)
      this.decisions.splice(0, this.decisions.length - keptDecisions);
    this.version += 1;
  }
}
