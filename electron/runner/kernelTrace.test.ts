import { describe, expect, it } from 'vitest';
import { type ActivityRows, activityWidth } from '../../native/index.ts';
import { absentInt32, type Batch, type EventSink } from '../../workloads/run/tables.ts';
import { joined, launchesIn, type Moment, writeActivity } from './kernelTrace.ts';

const [kernel, memcpy, driver, range] = [1, 2, 4, 6];

/** kind, name, start, end; the rest as it is for such a row. */
function story(names: readonly string[], rows: readonly (readonly number[])[]): ActivityRows {
  const data = new Float64Array(rows.length * activityWidth).fill(-1);
  rows.forEach(([kind = 0, name = -1, start = 0, end = 0, correlation = -1], row) => {
    data.set([kind, name, start, end, kind <= 3 ? 0 : -1, 7, correlation], row * activityWidth);
  });
  return { rows: rows.length, data, names };
}

function told(activity: ActivityRows, moments: readonly Moment[]) {
  const batches: Batch[] = [];
  const sink: EventSink = {
    batch: (batch) => batches.push(batch),
    progress: () => undefined,
    log: () => undefined,
  };
  writeActivity(sink, activity, moments);
  return batches.map(({ schema, rows, data }) =>
    Array.from({ length: rows }, (_, row) =>
      Object.fromEntries(schema.columns.map(({ name }, column) => [name, data[column]?.[row]])),
    ),
  );
}

describe('recorded activity as rows', () => {
  it('goes by start, each with the iteration that it began in, and device work apart from the host’s', () => {
    //  baseline 0 |100 ......... 200|   optimized 0 |300 .... 400|
    const moments: Moment[] = [
      { round: 0, variant: 'baseline', startNs: 100, endNs: 200 },
      { round: 0, variant: 'optimized', startNs: 300, endNs: 400 },
    ];
    const activity = story(
      ['gemm', 'cuLaunchKernel', 'optimized'],
      [
        [kernel, 0, 320, 360, 2],
        [kernel, 0, 120, 180, 1],
        [driver, 1, 110, 115, 1],
        [memcpy, 1, 250, 260],
        [range, 2, 301, 399],
      ],
    );
    const [kernels, spans] = told(activity, moments);
    expect(
      kernels?.map(({ kind, name, iteration, variant, start_ns, duration_ns }) => [
        kind,
        name,
        iteration,
        variant,
        start_ns,
        duration_ns,
      ]),
    ).toEqual([
      ['kernel', 'gemm', 0, 'baseline', 120, 60],
      ['memcpy', 'host to device', absentInt32, '', 250, 10],
      ['kernel', 'gemm', 0, 'optimized', 320, 40],
    ]);
    expect(spans?.map(({ kind, name, variant }) => [kind, name, variant])).toEqual([
      ['driver', 'cuLaunchKernel', 'baseline'],
      ['range', 'optimized', 'optimized'],
    ]);
  });

  it('tells launches in the order in which they were launched, not in which they ran', () => {
    const activity = joined([
      story(['second', 'first'], [[kernel, 0, 100, 110, 9]]),
      story(['second', 'first'], [[kernel, 1, 200, 210, 8]]),
    ]);
    expect(launchesIn(activity).map(({ name }) => name)).toEqual(['first', 'second']);
  });
});
