import { type ActivityRows, activityColumn, activityKinds, activityWidth } from '../../native/index.ts';
import { kernelsTable, spansTable } from '../../workloads/harness/kernelTables.ts';
import { absentInt32, type ColumnData, type EventSink } from '../../workloads/harness/tables.ts';

/** What the recorder of kernels gives (`KernelTrace` of native). */
export interface KernelRecorder {
  readonly library: string;
  readonly version: number;
  readonly ownClock: boolean;
  record(on: boolean): void;
  take(): ActivityRows;
  status(): { readonly records: number; readonly dropped: number; readonly refusedBuffers: number };
  stop(): void;
}

/** When it was, for the rows: a measured iteration of a variant, or neither. */
export interface Moment {
  readonly round: number | undefined;
  readonly variant: string;
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

/** Rows of the tables `kernels` and `spans`, in order of their start. */
export function writeActivity(sink: EventSink, activity: ActivityRows, moment: Moment): void {
  const order = Array.from({ length: activity.rows }, (_, row) => row).sort(
    (a, b) => field(activity, a, at.start) - field(activity, b, at.start),
  );
  const isOnDevice = (row: number) => field(activity, row, at.kind) <= 3;
  writeKernels(sink, activity, order.filter(isOnDevice), moment);
  writeSpans(
    sink,
    activity,
    order.filter((row) => !isOnDevice(row)),
    moment,
  );
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
    ints: (column: number) =>
      Int32Array.from(rows, (row) => presentOr(field(activity, row, column), absentInt32)),
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

const shared = ({ round, variant }: Moment, rows: number): readonly ColumnData[] => [
  new Int32Array(rows).fill(round ?? absentInt32),
  new Array<string>(rows).fill(variant),
];

function writeKernels(
  sink: EventSink,
  activity: ActivityRows,
  rows: readonly number[],
  moment: Moment,
): void {
  if (rows.length === 0) return;
  const { ints, floats, starts, durations, kinds, names } = columnsOf(activity, rows);
  sink.batch({
    schema: kernelsTable,
    rows: rows.length,
    data: [
      ...shared(moment, rows.length),
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

function writeSpans(sink: EventSink, activity: ActivityRows, rows: readonly number[], moment: Moment): void {
  if (rows.length === 0) return;
  const { ints, starts, durations, kinds, names } = columnsOf(activity, rows);
  sink.batch({
    schema: spansTable,
    rows: rows.length,
    data: [
      ...shared(moment, rows.length),
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
