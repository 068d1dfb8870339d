import type { KernelWork } from '../../workloads/kernels/device.ts';
import { kernelsTable, spansTable } from '../../workloads/run/kernelTables.ts';
import { absentInt32, type EventSink } from '../../workloads/run/tables.ts';

/** One iteration of one variant: a row of the `kernels` table. */
export interface IterationRow {
  /** Measured round, from 0; absent for one of the warm-up. */
  readonly round: number | undefined;
  readonly variant: string;
  readonly device: number;
  readonly startNs: number;
  readonly milliseconds: number;
  readonly work: KernelWork;
}

const orAbsent = (amount: number): number => (amount > 0 ? amount : Number.NaN);

export function writeIteration(sink: EventSink, row: IterationRow): void {
  const { work } = row;
  const absent = Int32Array.of(absentInt32);
  sink.batch({
    schema: kernelsTable,
    rows: 1,
    data: [
      row.round === undefined ? absent : Int32Array.of(row.round),
      [row.variant],
      ['iteration'],
      [row.variant],
      Float64Array.of(row.startNs),
      Float64Array.of(Math.round(row.milliseconds * 1e6)),
      Int32Array.of(row.device),
      absent,
      absent,
      Float64Array.of(Number.NaN),
      absent,
      absent,
      absent,
      Float64Array.of(orAbsent(work.hostBytes)),
      Float64Array.of(orAbsent(work.flops)),
      ['host'],
    ],
  });
}

/** Named stretches of the run. */
export class SpanWriter {
  private readonly sink: EventSink;
  private readonly clockNs: () => number;

  constructor(sink: EventSink, clockNs: () => number) {
    this.sink = sink;
    this.clockNs = clockNs;
  }

  async span<T>(name: string, body: () => T | Promise<T>, variant = ''): Promise<T> {
    const start = this.clockNs();
    try {
      return await body();
    } finally {
      // A stretch that a driver's error ended is one too: it says where.
      this.sink.batch({
        schema: spansTable,
        rows: 1,
        data: [
          Int32Array.of(absentInt32),
          [variant],
          ['range'],
          [name],
          Float64Array.of(start),
          Float64Array.of(this.clockNs() - start),
          Int32Array.of(absentInt32),
          Int32Array.of(absentInt32),
          ['host'],
        ],
      });
    }
  }
}
