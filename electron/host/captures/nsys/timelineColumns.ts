import type { ImportBudget } from '../importBudget.ts';
import { GrowingColumn, rowsById, sortedColumns } from './growingColumn.ts';
import { enclosingRanges, rangeDepths } from './kernelRanges.ts';
import type { NsysReport } from './nsysReport.ts';

export interface KernelRow {
  readonly start: number;
  readonly end: number;
  readonly name: string;
  readonly device: number;
  readonly stream: number;
  readonly correlation: number;
  /** Threads; NaN where unknown. */
  readonly gridThreads: number;
  readonly blockThreads: number;
  readonly registers: number;
  readonly sharedBytes?: number;
}

export interface CopyRow {
  readonly start: number;
  readonly end: number;
  /** CUDA_MEMCPY_KIND; 0 for a memset. */
  readonly kind: number;
  readonly isSet: boolean;
  readonly bytes: number;
  readonly device: number;
  readonly stream: number;
}

export interface CallRow {
  readonly start: number;
  readonly end: number;
  readonly name: string;
  readonly pid: number;
  readonly tid: number;
  readonly correlation: number;
}

export interface RangeRow {
  readonly start: number;
  readonly end: number;
  readonly name: string;
  readonly pid: number;
  readonly tid: number;
  /** nsys's own event types: 34 mark, 59 push/pop, 60 start/end. */
  readonly kind: number;
}

/**
 * Collects the events of a timeline in any order and makes a report of them: sorted, counted from the first event, kernels joined to
 * their launch calls by correlation id and to the ranges around those.
 */
export class TimelineColumns {
  readonly #names: string[] = [];
  readonly #indexOf = new Map<string, number>();
  readonly #budget: Pick<ImportBudget, 'keep' | 'wants'> | undefined;
  readonly #kernels;
  readonly #copies;
  readonly #calls;
  readonly #ranges;
  #earliest = Number.POSITIVE_INFINITY;
  /** Events outside of the part that was asked for. */
  skipped = 0;
  /** Start of the first event in the file, from which a part of the timeline is counted. */
  #zero: number | undefined;

  constructor(budget?: Pick<ImportBudget, 'keep' | 'wants'>) {
    const columns = (length: number) => Array.from({ length }, () => new GrowingColumn(budget));
    this.#budget = budget;
    this.#kernels = columns(10);
    this.#copies = columns(7);
    this.#calls = columns(6);
    this.#ranges = columns(6);
  }

  /** Events of any kind. */
  get rows(): number {
    return [this.#kernels, this.#copies, this.#calls, this.#ranges].reduce(
      (sum, [start]) => sum + (start?.length ?? 0),
      0,
    );
  }

  get kernelRows(): number {
    return this.#kernels[0]?.length ?? 0;
  }

  kernel(row: KernelRow): void {
    this.#put(this.#kernels, [
      ...[row.start, row.end, this.#name(row.name), row.device, row.stream, row.correlation],
      ...[row.gridThreads, row.blockThreads, row.registers, row.sharedBytes ?? Number.NaN],
    ]);
  }

  copy(row: CopyRow): void {
    this.#put(this.#copies, [
      ...[row.start, row.end, row.kind, row.isSet ? 1 : 0, row.bytes, row.device, row.stream],
    ]);
  }

  call(row: CallRow): void {
    this.#put(this.#calls, [row.start, row.end, this.#name(row.name), row.pid, row.tid, row.correlation]);
  }

  range(row: RangeRow): void {
    const end = Math.max(row.start, row.end);
    this.#put(this.#ranges, [row.start, end, this.#name(row.name), row.pid, row.tid, row.kind]);
  }

  #put(columns: readonly GrowingColumn[], values: readonly number[]): void {
    const [start = Number.NaN, end = start] = values;
    this.#zero ??= start;
    if (this.#budget?.wants(start, end, this.#zero) === false) {
      this.skipped++;
      return;
    }
    this.#earliest = Math.min(this.#earliest, values[0] ?? this.#earliest);
    values.forEach((value, i) => void columns[i]?.push(value));
  }

  #name(text: string): number {
    let index = this.#indexOf.get(text);
    if (index === undefined) {
      index = this.#names.length;
      this.#budget?.keep(64 + 2 * text.length);
      this.#names.push(text === '' ? 'unnamed' : text);
      this.#indexOf.set(text, index);
    }
    return index;
  }

  report(about: Pick<NsysReport, 'tool' | 'gpus' | 'missing'>): NsysReport {
    const zero = Number.isFinite(this.#earliest) ? this.#earliest : 0;
    const sorted = (columns: readonly GrowingColumn[], longestFirst = false): Float64Array[] => {
      const out = sortedColumns(columns, longestFirst);
      for (const column of out.slice(0, 2))
        for (let i = 0; i < column.length; i++) column[i] = (column[i] ?? 0) - zero;
      return out;
    };
    const none = new Float64Array(0);
    const [
      kStart = none,
      kEnd = none,
      kName = none,
      device = none,
      stream = none,
      correlation = none,
      grid = none,
      block = none,
      registers = none,
      sharedBytes = none,
    ] = sorted(this.#kernels);
    const [
      cStart = none,
      cEnd = none,
      kind = none,
      isSet = none,
      bytes = none,
      cDevice = none,
      cStream = none,
    ] = sorted(this.#copies);
    const [aStart = none, aEnd = none, aName = none, aPid = none, aTid = none, aCorrelation = none] = sorted(
      this.#calls,
    );
    const [rStart = none, rEnd = none, rName = none, rPid = none, rTid = none, rKind = none] = sorted(
      this.#ranges,
      true,
    );
    const flat = {
      rows: rStart.length,
      startNs: rStart,
      endNs: rEnd,
      name: rName,
      pid: rPid,
      tid: rTid,
      kind: rKind,
    };
    const ranges = { ...flat, depth: rangeDepths(flat) };
    const apiCalls = {
      rows: aStart.length,
      startNs: aStart,
      endNs: aEnd,
      name: aName,
      pid: aPid,
      tid: aTid,
      correlation: aCorrelation,
    };
    const callOf = rowsById(aCorrelation);
    const rangeOfCall = enclosingRanges(apiCalls, ranges);
    const rows = kStart.length;
    const pid = new Float64Array(rows);
    const launchStartNs = new Float64Array(rows).fill(Number.NaN);
    const launchEndNs = new Float64Array(rows).fill(Number.NaN);
    const range = new Float64Array(rows).fill(-1);
    for (let i = 0; i < rows; i++) {
      const call = callOf(correlation[i] ?? Number.NaN);
      if (call === undefined) continue;
      pid[i] = aPid[call] ?? 0;
      launchStartNs[i] = aStart[call] ?? Number.NaN;
      launchEndNs[i] = aEnd[call] ?? Number.NaN;
      range[i] = rangeOfCall[call] ?? -1;
    }
    return {
      source: 'captured',
      ...about,
      names: this.#names,
      kernels: {
        ...{ rows, startNs: kStart, endNs: kEnd, name: kName, device, stream, pid, correlation },
        ...{ gridThreads: grid, blockThreads: block, registers },
        ...{ sharedBytes, launchStartNs, launchEndNs, range },
      },
      copies: {
        rows: cStart.length,
        startNs: cStart,
        endNs: cEnd,
        kind,
        isSet: Uint8Array.from(isSet),
        bytes,
        device: cDevice,
        stream: cStream,
      },
      ranges,
      apiCalls,
      osCalls: { rows: 0, startNs: none, endNs: none, name: none, pid: none, tid: none, correlation: none },
      counters: [],
      diagnostics: [],
    };
  }
}
