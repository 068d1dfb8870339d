import { simEngine } from '../engines/sim/engine.ts';
import { quantileOfSorted, sortedPresent } from '../metrics/percentile.ts';
import type { RunSpec } from '../run/spec.ts';
import type { Batch, EventSink } from '../run/tables.ts';
import type { Traffic } from '../traffic/traffic.ts';
import type { Fraction } from '../units.ts';
import { type Latencies, type MeasuredRequest, measuredLatencies } from './measuredRun.ts';

/** Collects what each request got, in order of the traffic. */
class LatencySink implements EventSink {
  readonly wants = ['requests'] as const;
  readonly latencies: Latencies[];
  private readonly traffic: Traffic;

  constructor(traffic: Traffic) {
    this.traffic = traffic;
    this.latencies = new Array<Latencies>(traffic.requests);
  }

  batch({ schema, rows, data }: Batch): void {
    if (schema.name !== 'requests') return;
    const column = (name: string) => data[schema.columns.findIndex((c) => c.name === name)];
    const request = column('request');
    const first = column('first_token_ns');
    const finish = column('finish_ns');
    for (let row = 0; row < rows; row++) {
      const r = Number(request?.[row] ?? 0);
      const arrival = this.traffic.arrivalNs[r] ?? 0;
      const at = Number(first?.[row] ?? 0);
      const end = Number(finish?.[row] ?? 0);
      const output = this.traffic.outputTokens[r] ?? 1;
      this.latencies[r] = {
        ttft: (at - arrival) / 1e6,
        tpot: output > 1 ? (end - at) / 1e6 / (output - 1) : Number.NaN,
        e2e: (end - arrival) / 1e6,
      };
    }
  }
  progress(): void {}
  log(): void {}
}

/** Serves the traffic once; what each request got, in its order. */
export function replay(spec: RunSpec, traffic: Traffic): Latencies[] {
  const sink = new LatencySink(traffic);
  const run = simEngine.open(spec, () => traffic, sink);
  while (!run.step(Number.POSITIVE_INFINITY, 1_000_000));
  run.finish();
  return sink.latencies;
}

export interface Deviation {
  readonly metric: keyof Latencies;
  readonly statistic: 'mean' | 'p50' | 'p90' | 'p99';
  readonly simulated: number;
  readonly measured: number;
  /** Simulated ÷ measured − 1. */
  readonly error: number;
}

/** Errors of the mean and of percentiles, and per request the median of |error|. */
export function deviations(
  simulated: readonly Latencies[],
  requests: readonly MeasuredRequest[],
): { readonly rows: readonly Deviation[]; readonly perRequest: Readonly<Record<keyof Latencies, Fraction>> } {
  const measured = requests.map(measuredLatencies);
  const metrics = ['ttft', 'tpot', 'e2e'] as const;
  const rows = metrics.flatMap((metric) => {
    const ours = sortedPresent(simulated.map((request) => request[metric]));
    const theirs = sortedPresent(measured.map((request) => request[metric]));
    const row = (statistic: Deviation['statistic'], a: number, b: number): Deviation => ({
      metric,
      statistic,
      simulated: a,
      measured: b,
      error: a / b - 1,
    });
    return [
      row('mean', mean(ours), mean(theirs)),
      row('p50', quantileOfSorted(ours, 0.5), quantileOfSorted(theirs, 0.5)),
      row('p90', quantileOfSorted(ours, 0.9), quantileOfSorted(theirs, 0.9)),
      row('p99', quantileOfSorted(ours, 0.99), quantileOfSorted(theirs, 0.99)),
    ];
  });
  const each = (metric: keyof Latencies): number =>
    quantileOfSorted(
      sortedPresent(
        simulated.map((request, r) => Math.abs(request[metric] / (measured[r]?.[metric] ?? 0) - 1)),
      ),
      0.5,
    );
  return { rows, perRequest: { ttft: each('ttft'), tpot: each('tpot'), e2e: each('e2e') } };
}

export const mean = (values: ArrayLike<number>): number => {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i] ?? 0;
  return sum / values.length;
};
