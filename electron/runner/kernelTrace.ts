import { type ActivityRows, activityColumn, activityKinds, activityWidth } from '../../native/index.ts';
import { kernelsTable, spansTable } from '../../workloads/run/kernelTables.ts';
import { absentInt32, type ColumnData, type EventSink } from '../../workloads/run/tables.ts';

/** What the recorder of kernels gives (`KernelTrace` of native). */
export interface KernelRecorder {
  readonly library: string;
  readonly version: number;
  readonly ownClock: boolean;
  record(on: boolean): void;
  take(options?: { readonly flush?: boolean }): ActivityRows;
  status(): { readonly records: number; readonly dropped: number; readonly refusedBuffers: number };
  stop(): void;
}

/** A measured iteration of a variant, on the run's clock. */
export interface Moment {
  readonly round: number;
  readonly variant: string;
  readonly startNs: number;
  readonly endNs: number;
}

/** CUpti_ActivityMemcpyKind */
const copyKinds: Readonly<Record<number, string>> = {
  1: 'host to device',
  2: 'device to host',
  3: 'host to array',
  4: 'array to host',
  8: 'device to device',
  9: 'host to host',
  10: 'peer to peer',
};

const at = activityColumn;

/** Several takes as one. */
export function joined(takes: readonly ActivityRows[]): ActivityRows {
  const rows = takes.reduce((sum, take) => sum + take.rows, 0);
  const data = new Float64Array(rows * activityWidth);
  let offset = 0;
  for (const take of takes) {
    data.set(take.data, offset);
    offset += take.data.length;
  }
  return { rows, data, names: takes.at(-1)?.names ?? [] };
}

/** Without what began earlier: the warm-up's records come with the first measured ones, since a flush in between would cost. */
export function since(activity: ActivityRows, ns: number): ActivityRows {
  const kept: number[] = [];
  for (let row = 0; row < activity.rows; row++) if (field(activity, row, at.start) >= ns) kept.push(row);
  const data = new Float64Array(kept.length * activityWidth);
  kept.forEach((row, index) => {
    data.set(activity.data.subarray(row * activityWidth, (row + 1) * activityWidth), index * activityWidth);
  });
  return { ...activity, rows: kept.length, data };
}

/** Rows of a batch: a run of millions of launches is sent in several batches. */
const batchRows = 50_000;

/**
 * Rows of the tables `kernels` and `spans`, in order of their start, each with the iteration that it began in. `moments` are in
 * order and do not overlap: an iteration is waited for before the next one begins.
 */
export function writeActivity(sink: EventSink, activity: ActivityRows, moments: readonly Moment[]): void {
  const order = Array.from({ length: activity.rows }, (_, row) => row).sort(
    (a, b) => field(activity, a, at.start) - field(activity, b, at.start),
  );
  const isOnDevice = (row: number) => field(activity, row, at.kind) <= 3;
  const device = order.filter(isOnDevice);
  const host = order.filter((row) => !isOnDevice(row));
  for (let from = 0; from < device.length; from += batchRows)
    writeKernels(sink, activity, device.slice(from, from + batchRows), moments);
  for (let from = 0; from < host.length; from += batchRows)
    writeSpans(sink, activity, host.slice(from, from + batchRows), moments);
}

/** The moment that each of some rows, sorted by start, began in. */
function momentsOf(
  activity: ActivityRows,
  rows: readonly number[],
  moments: readonly Moment[],
): (Moment | undefined)[] {
  let next = 0;
  return rows.map((row) => {
    const start = field(activity, row, at.start);
    while (next < moments.length && (moments[next]?.endNs ?? 0) < start) next++;
    const moment = moments[next];
    return moment !== undefined && moment.startNs <= start ? moment : undefined;
  });
}

const field = ({ data }: ActivityRows, row: number, column: number): number =>
  data[row * activityWidth + column] ?? -1;
const kindOf = (activity: ActivityRows, row: number): string =>
  activityKinds[field(activity, row, at.kind)] ?? '';
const nameOf = (activity: ActivityRows, row: number): string => {
  const name = field(activity, row, at.name);
  switch (kindOf(activity, row)) {
    case 'memcpy':
      return copyKinds[name] ?? 'copy';
    case 'memset':
      return 'memset';
    default:
      return activity.names[name] ?? '';
  }
};
const presentOr = (value: number, absent: number): number => (value < 0 ? absent : value);

function columnsOf(activity: ActivityRows, rows: readonly number[]) {
  return {
    // A thread without a system number is half a pointer: 31 bits of it tell threads apart as well.
    ints: (column: number) =>
      Int32Array.from(rows, (row) => {
        const value = field(activity, row, column);
        return value < 0 ? absentInt32 : value % 2 ** 31;
      }),
    floats: (column: number) =>
      Float64Array.from(rows, (row) => presentOr(field(activity, row, column), Number.NaN)),
    // A range may have begun before the run's clock did.
    starts: Float64Array.from(rows, (row) => field(activity, row, at.start)),
    durations: Float64Array.from(
      rows,
      (row) => field(activity, row, at.end) - field(activity, row, at.start),
    ),
    kinds: rows.map((row) => kindOf(activity, row)),
    names: rows.map((row) => nameOf(activity, row)),
  };
}

const momentColumns = (moments: readonly (Moment | undefined)[]): readonly ColumnData[] => [
  Int32Array.from(moments, (moment) => moment?.round ?? absentInt32),
  moments.map((moment) => moment?.variant ?? ''),
];

function writeKernels(
  sink: EventSink,
  activity: ActivityRows,
  rows: readonly number[],
  moments: readonly Moment[],
): void {
  const { ints, floats, starts, durations, kinds, names } = columnsOf(activity, rows);
  sink.batch({
    schema: kernelsTable,
    rows: rows.length,
    data: [
      ...momentColumns(momentsOf(activity, rows, moments)),
      kinds,
      names,
      starts,
      durations,
      ints(at.device),
      ints(at.lane),
      ints(at.correlation),
      floats(at.threads),
      ints(at.blockThreads),
      ints(at.registers),
      ints(at.sharedBytes),
      floats(at.bytes),
      new Float64Array(rows.length).fill(Number.NaN),
      new Array<string>(rows.length).fill('cupti'),
    ],
  });
}

function writeSpans(
  sink: EventSink,
  activity: ActivityRows,
  rows: readonly number[],
  moments: readonly Moment[],
): void {
  const { ints, starts, durations, kinds, names } = columnsOf(activity, rows);
  sink.batch({
    schema: spansTable,
    rows: rows.length,
    data: [
      ...momentColumns(momentsOf(activity, rows, moments)),
      kinds,
      names,
      starts,
      durations,
      ints(at.lane),
      ints(at.correlation),
      new Array<string>(rows.length).fill('cupti'),
    ],
  });
}

export interface Launch {
  readonly name: string;
  readonly threads: number | undefined;
}

/** Kernels in the order in which they were launched. */
export function launchesIn(activity: ActivityRows): readonly Launch[] {
  return Array.from({ length: activity.rows }, (_, row) => row)
    .filter((row) => kindOf(activity, row) === 'kernel')
    .sort((a, b) => field(activity, a, at.correlation) - field(activity, b, at.correlation))
    .map((row) => {
      const threads = field(activity, row, at.threads);
      return { name: nameOf(activity, row), threads: threads < 0 ? undefined : threads };
    });
}
