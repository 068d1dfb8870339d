import { badFile } from '../captureError.ts';
import { ImportBudget, type ImportLimits, importLimits } from '../importBudget.ts';
import { type Row, SqliteFile, type SqliteTable } from '../sqlite/sqliteFile.ts';
import { readDiagnostics } from './diagnostics.ts';
import { GrowingColumn, sortedColumns } from './growingColumn.ts';
import { rangeDepths } from './kernelRanges.ts';
import { launchesOf } from './launches.ts';
import type {
  CallEvents,
  CapturedGpu,
  CopyEvents,
  CounterSeries,
  KernelEvents,
  NsysReport,
  RangeEvents,
} from './nsysReport.ts';
import { findTable } from './nsysTables.ts';

/**
 * Reads what `nsys export --type sqlite` wrote. The schema is not fixed: tables appear only with data (lazy export), names
 * and columns move between versions (2022.4 to 2026.4 were read). So each column is taken where present, and what is
 * absent is named in `missing` with what follows from it.
 *
 * The environment (TARGET_INFO_SYSTEM_ENV holds every variable of the recording shell) and the program's own output
 * (ProcessStreams) are never read; `scrubEnvironment` takes them out of the file itself.
 */
export async function importNsysSqlite(
  path: string,
  options: { readonly limits?: ImportLimits; readonly signal?: AbortSignal } = {},
): Promise<NsysReport> {
  const budget = new ImportBudget(path, options.limits ?? importLimits, options.signal);
  const file = await SqliteFile.open(path, budget);
  try {
    return await new NsysReader(file, budget).read();
  } finally {
    file.close();
  }
}

/** Newest name first. */
const metaTables = ['META_DATA_EXPORT', 'EXPORT_META_DATA'] as const;

const pidOf = (low48: number): number => Math.floor(low48 / 2 ** 24);
const tidOf = (low48: number): number => low48 % 2 ** 24;

class NsysReader {
  private readonly file: SqliteFile;
  private readonly budget: ImportBudget;
  private readonly missing: string[] = [];
  /** Rows that were left out, by what was wrong with them. */
  private readonly dropped = new Map<string, number>();
  /** The GPU of the machine behind the device number of a process, as `pid/device`; empty where no table tells. */
  private readonly gpuOf = new Map<string, number>();
  private readonly names: string[] = [];
  private readonly indexOfName = new Map<string, number>();
  /** StringIds id → index in `names`. */
  private readonly indexOfId = new Map<number, number>();

  constructor(file: SqliteFile, budget: ImportBudget) {
    this.file = file;
    this.budget = budget;
  }

  async read(): Promise<NsysReport> {
    const meta = await this.readMeta();
    await this.readStrings();
    await this.readDevices();
    const ranges = await this.readRanges();
    const apiCalls = await this.readCalls(
      'CUPTI_ACTIVITY_KIND_RUNTIME',
      'no CUDA calls: no launch times, and kernels belong to no NVTX range',
    );
    const osCalls = await this.readCalls('OSRT_API', 'no operating-system calls were recorded');
    const kernels = await this.readKernels(apiCalls, ranges);
    const copies = await this.readCopies();
    const counters = await this.readCounters();
    const startUtcNs = await this.readStart();
    return {
      source: 'captured',
      tool: meta,
      ...(startUtcNs === undefined ? {} : { startUtcNs }),
      gpus: await this.readGpus(),
      names: this.names,
      kernels,
      copies,
      ranges,
      apiCalls,
      osCalls,
      counters,
      missing: [...this.missing, ...[...this.dropped].map(([what, rows]) => `${rows} rows dropped: ${what}`)],
      diagnostics: await readDiagnostics(this.file),
    };
  }

  /** The table, or undefined after noting what its absence means. */
  private table(name: string, without?: string): SqliteTable | undefined {
    const table = findTable(this.file.tables, name);
    if (table === undefined && without !== undefined) this.missing.push(`${name}: ${without}`);
    return table;
  }

  /** Whether a row is an interval of time; one that is not is dropped and counted. */
  private isInterval(row: Row, table: SqliteTable): boolean {
    const [start, end] = [row.number(0), row.number(1)];
    if (end >= start) return this.budget.wants(start, end);
    const what =
      Number.isNaN(start) || Number.isNaN(end)
        ? 'without a start or an end (still open when the recording stopped)'
        : 'that end before they start';
    const key = `${table.name} ${what}`;
    this.dropped.set(key, (this.dropped.get(key) ?? 0) + 1);
    return false;
  }

  /** Processes see a part of the GPUs, each from 0: ranks of one machine are told apart by this table. */
  private async readDevices(): Promise<void> {
    const table = findTable(this.file.tables, 'TARGET_INFO_CUDA_DEVICE');
    if (table === undefined) return;
    await this.file.scan(table, ['pid', 'cudaId', 'gpuId'], (row) => {
      const gpu = row.number(2);
      if (!Number.isNaN(gpu)) this.gpuOf.set(`${row.number(0)}/${row.number(1)}`, gpu);
    });
  }

  private deviceOf(pid: number, device: number): number {
    return this.gpuOf.get(`${pid}/${device}`) ?? device;
  }

  /** Notes columns that this file's version of a table lacks. */
  private noteColumns(table: SqliteTable, columns: Readonly<Record<string, string>>): void {
    for (const [column, without] of Object.entries(columns)) {
      if (!table.columns.some((c) => c.name === column))
        this.missing.push(`${table.name}.${column}: ${without}`);
    }
  }

  private require(table: SqliteTable, columns: readonly string[]): void {
    const absent = columns.filter((column) => !table.columns.some((c) => c.name === column));
    if (absent.length > 0) {
      throw badFile(
        this.file.path,
        `table ${table.name} lacks ${absent.join(', ')}`,
        'export it again with the nsys that recorded it',
      );
    }
  }

  private nameIndex(text: string): number {
    let index = this.indexOfName.get(text);
    if (index === undefined) {
      index = this.names.length;
      this.names.push(text);
      this.indexOfName.set(text, index);
    }
    return index;
  }

  private async readMeta(): Promise<NsysReport['tool']> {
    const table = metaTables.map((name) => findTable(this.file.tables, name)).find((t) => t !== undefined);
    const known = ['StringIds', 'ANALYSIS_DETAILS', 'TARGET_INFO_SESSION_START_TIME'].some(
      (name) => findTable(this.file.tables, name) !== undefined,
    );
    if (table === undefined && !known) {
      throw badFile(
        this.file.path,
        'is an SQLite database, but not an export of Nsight Systems: it has none of its tables',
      );
    }
    const values = new Map<string, string>();
    if (table === undefined)
      this.missing.push('META_DATA_EXPORT: the version of nsys that exported it is unknown');
    else
      await this.file.scan(table, ['name', 'value'], (row) =>
        values.set(row.text(0) ?? '', row.text(1) ?? ''),
      );
    return {
      name: values.get('EXPORT_PRODUCT_NAME') ?? 'NVIDIA Nsight Systems',
      version: values.get('EXPORT_PRODUCT_VERSION') ?? 'unknown',
      schema: values.get('EXPORT_SCHEMA_VERSION') ?? 'unknown',
    };
  }

  private async readStrings(): Promise<void> {
    const table = this.table('StringIds', 'events have no names');
    if (table === undefined) return;
    this.require(table, ['id', 'value']);
    const texts = new Map<number, string>();
    await this.file.scan(table, ['id', 'value'], (row) => {
      const text = row.text(1) ?? '';
      this.budget.keep(64 + 2 * text.length);
      texts.set(row.number(0), text);
    });
    this.texts = texts;
  }

  private texts = new Map<number, string>();

  /** Index in `names` of a StringIds id; only strings that an event uses get in. */
  private nameOfId(id: number): number {
    if (Number.isNaN(id)) return -1;
    let index = this.indexOfId.get(id);
    if (index === undefined) {
      index = this.nameIndex(this.texts.get(id) ?? `string ${id}`);
      this.indexOfId.set(id, index);
    }
    return index;
  }

  private async readRanges(): Promise<RangeEvents> {
    const columns = Array.from({ length: 6 }, () => new GrowingColumn(this.budget));
    const [start, end, name, pid, tid, kind] = columns;
    const table = this.table('NVTX_EVENTS', 'no NVTX ranges were recorded');
    if (table !== undefined) {
      this.require(table, ['start', 'eventType']);
      await this.file.scan(table, ['start', 'end', 'eventType', 'text', 'textId', 'globalTid'], (row) => {
        const type = row.number(2);
        if (type !== 34 && type !== 59 && type !== 60) return;
        const from = row.number(0);
        const to = row.number(1);
        if (Number.isNaN(from) || !this.budget.wants(from, Number.isNaN(to) ? from : to)) return;
        const text = row.text(3);
        const thread = row.low48(5);
        start?.push(from);
        // A range that was still open when recording stopped has no end: it counts as empty.
        end?.push(type === 34 || Number.isNaN(to) ? from : Math.max(from, to));
        name?.push(text === undefined ? this.nameOfId(row.number(4)) : this.nameIndex(text));
        pid?.push(pidOf(thread));
        tid?.push(tidOf(thread));
        kind?.push(type);
      });
    }
    const [startNs, endNs, names, pids, tids, kinds] = sortedColumns(columns, true);
    const rows = startNs?.length ?? 0;
    const empty = new Float64Array(0);
    const flat = {
      rows,
      startNs: startNs ?? empty,
      endNs: endNs ?? empty,
      name: names ?? empty,
      pid: pids ?? empty,
      tid: tids ?? empty,
      kind: kinds ?? empty,
    };
    return { ...flat, depth: rangeDepths(flat) };
  }

  private async readCalls(name: string, without: string): Promise<CallEvents> {
    const columns = Array.from({ length: 6 }, () => new GrowingColumn(this.budget));
    const [start, end, names, pid, tid, correlation] = columns;
    const table = this.table(name, without);
    if (table !== undefined) {
      this.require(table, ['start', 'end']);
      await this.file.scan(table, ['start', 'end', 'nameId', 'globalTid', 'correlationId'], (row) => {
        if (!this.isInterval(row, table)) return;
        const thread = row.low48(3);
        start?.push(row.number(0));
        end?.push(row.number(1));
        names?.push(this.nameOfId(row.number(2)));
        pid?.push(pidOf(thread));
        tid?.push(tidOf(thread));
        correlation?.push(row.number(4));
      });
    }
    const [startNs, endNs, nameIndex, pids, tids, correlations] = sortedColumns(columns);
    const empty = new Float64Array(0);
    return {
      rows: startNs?.length ?? 0,
      startNs: startNs ?? empty,
      endNs: endNs ?? empty,
      name: nameIndex ?? empty,
      pid: pids ?? empty,
      tid: tids ?? empty,
      correlation: correlations ?? empty,
    };
  }

  private async readKernels(calls: CallEvents, ranges: RangeEvents): Promise<KernelEvents> {
    const columns = Array.from({ length: 11 }, () => new GrowingColumn(this.budget));
    const [start, end, name, device, stream, pid, correlation, grid, block, registers, shared] = columns;
    const table = this.table(
      'CUPTI_ACTIVITY_KIND_KERNEL',
      'no kernels were recorded (was CUDA traced, and did the program use the GPU?)',
    );
    if (table !== undefined) {
      this.require(table, ['start', 'end']);
      this.noteColumns(table, {
        clusterX: 'thread block clusters are not told (written by nsys since Hopper support)',
      });
      const wanted = [
        ...[
          'start',
          'end',
          'demangledName',
          'shortName',
          'deviceId',
          'streamId',
          'globalPid',
          'correlationId',
        ],
        ...['gridX', 'gridY', 'gridZ', 'blockX', 'blockY', 'blockZ', 'registersPerThread'],
        ...['staticSharedMemory', 'dynamicSharedMemory'],
      ];
      await this.file.scan(table, wanted, (row) => {
        if (!this.isInterval(row, table)) return;
        const threads = row.number(11) * row.number(12) * row.number(13);
        start?.push(row.number(0));
        end?.push(row.number(1));
        name?.push(this.nameOfId(Number.isNaN(row.number(2)) ? row.number(3) : row.number(2)));
        const process = pidOf(row.low48(6));
        device?.push(this.deviceOf(process, row.number(4)));
        stream?.push(row.number(5));
        pid?.push(process);
        correlation?.push(row.number(7));
        grid?.push(row.number(8) * row.number(9) * row.number(10) * threads);
        block?.push(threads);
        registers?.push(row.number(14));
        shared?.push(row.number(15) + row.number(16));
      });
    }
    const graphs = findTable(this.file.tables, 'CUPTI_ACTIVITY_KIND_GRAPH_TRACE');
    if (graphs !== undefined) {
      // A graph that was traced as a whole kept the GPU busy from its start to its end, as far as can be told.
      let whole = 0;
      const wanted = [
        'start',
        'end',
        'graphId',
        'deviceId',
        'streamId',
        'globalPid',
        'correlationId',
        'graphExecId',
      ];
      await this.file.scan(graphs, wanted, (row) => {
        if (!this.isInterval(row, graphs)) return;
        const id = Number.isNaN(row.number(2)) ? row.number(7) : row.number(2);
        const process = pidOf(row.low48(5));
        whole++;
        start?.push(row.number(0));
        end?.push(row.number(1));
        name?.push(this.nameIndex(Number.isNaN(id) ? 'CUDA graph' : `CUDA graph ${id}`));
        device?.push(this.deviceOf(process, row.number(3)));
        stream?.push(row.number(4));
        pid?.push(process);
        correlation?.push(row.number(6));
        for (const column of [grid, block, registers, shared]) column?.push(Number.NaN);
      });
      if (whole > 0)
        this.missing.push(
          `kernels inside ${whole} launches of CUDA graphs: each graph was traced as a whole (--cuda-graph-trace=graph) and counts as one kernel`,
        );
    }
    const [
      startNs,
      endNs,
      names,
      devices,
      streams,
      pids,
      correlations,
      grids,
      blocks,
      register,
      sharedBytes,
    ] = sortedColumns(columns);
    const empty = new Float64Array(0);
    const rows = startNs?.length ?? 0;
    const launch = launchesOf(rows, pids ?? empty, correlations ?? empty, calls, ranges);
    return {
      rows,
      startNs: startNs ?? empty,
      endNs: endNs ?? empty,
      name: names ?? empty,
      device: devices ?? empty,
      stream: streams ?? empty,
      pid: pids ?? empty,
      correlation: correlations ?? empty,
      gridThreads: grids ?? empty,
      blockThreads: blocks ?? empty,
      registers: register ?? empty,
      sharedBytes: sharedBytes ?? empty,
      ...launch,
    };
  }

  private async readCopies(): Promise<CopyEvents> {
    const columns = Array.from({ length: 7 }, () => new GrowingColumn(this.budget));
    const [start, end, kind, isSet, bytes, device, stream] = columns;
    const read = async (name: string, set: boolean, without: string) => {
      const table = this.table(name, without);
      if (table === undefined) return;
      this.require(table, ['start', 'end']);
      await this.file.scan(
        table,
        ['start', 'end', 'bytes', 'deviceId', 'streamId', 'copyKind', 'globalPid'],
        (row) => {
          if (!this.isInterval(row, table)) return;
          start?.push(row.number(0));
          end?.push(row.number(1));
          bytes?.push(row.number(2));
          device?.push(this.deviceOf(pidOf(row.low48(6)), row.number(3)));
          stream?.push(row.number(4));
          kind?.push(set || Number.isNaN(row.number(5)) ? 0 : row.number(5));
          isSet?.push(set ? 1 : 0);
        },
      );
    };
    await read('CUPTI_ACTIVITY_KIND_MEMCPY', false, 'no memory copies were recorded');
    await read('CUPTI_ACTIVITY_KIND_MEMSET', true, 'no memsets were recorded');
    const [startNs, endNs, kinds, sets, sizes, devices, streams] = sortedColumns(columns);
    const empty = new Float64Array(0);
    return {
      rows: startNs?.length ?? 0,
      startNs: startNs ?? empty,
      endNs: endNs ?? empty,
      kind: kinds ?? empty,
      isSet: Uint8Array.from(sets ?? empty),
      bytes: sizes ?? empty,
      device: devices ?? empty,
      stream: streams ?? empty,
    };
  }

  /** Metric ids change from run to run; a metric is named by both its ids, and the low byte of typeId is the GPU. */
  private async readCounters(): Promise<CounterSeries[]> {
    const names = findTable(this.file.tables, 'TARGET_INFO_GPU_METRICS');
    const samples = this.table('GPU_METRICS', 'no GPU metrics were sampled');
    if (samples === undefined || names === undefined) return [];
    this.require(samples, ['timestamp', 'typeId', 'metricId', 'value']);
    interface OpenSeries {
      readonly device: number;
      readonly metric: string;
      readonly time: GrowingColumn;
      readonly value: GrowingColumn;
    }
    const series = new Map<string, OpenSeries>();
    await this.file.scan(names, ['typeId', 'metricId', 'metricName'], (row) => {
      const key = `${row.bigint(0)}/${row.number(1)}`;
      const metric = row.text(2) ?? `metric ${row.number(1)}`;
      series.set(key, {
        device: row.low48(0) % 256,
        metric,
        time: new GrowingColumn(this.budget),
        value: new GrowingColumn(this.budget),
      });
    });
    await this.file.scan(samples, ['timestamp', 'typeId', 'metricId', 'value'], (row) => {
      if (!this.budget.wants(row.number(0), row.number(0))) return;
      const one = series.get(`${row.bigint(1)}/${row.number(2)}`);
      one?.time.push(row.number(0));
      one?.value.push(row.number(3));
    });
    return [...series.values()]
      .filter((one) => one.time.length > 0)
      .map((one) => ({
        device: one.device,
        metric: one.metric,
        timeNs: one.time.finish(),
        value: one.value.finish(),
      }));
  }

  private async readStart(): Promise<string | undefined> {
    const table = this.table(
      'TARGET_INFO_SESSION_START_TIME',
      'the wall-clock start is unknown: request logs cannot be aligned',
    );
    let start: string | undefined;
    if (table !== undefined)
      await this.file.scan(table, ['utcEpochNs'], (row) => (start = row.bigint(0)?.toString()));
    return start;
  }

  private async readGpus(): Promise<CapturedGpu[]> {
    const gpus: CapturedGpu[] = [];
    const table = this.table(
      'TARGET_INFO_GPU',
      'no GPU is described: data-sheet ceilings need a choice by hand',
    );
    if (table === undefined) return gpus;
    const numbers = ['id', 'smCount', 'clockRate', 'memoryBandwidth', 'totalMemory', 'l2CacheSize'];
    const texts = ['name', 'chipName', 'uuid', 'computeMajor', 'computeMinor'];
    await this.file.scan(table, [...numbers, ...texts], (row) => {
      const number = (slot: number) => (row.number(slot) > 0 ? row.number(slot) : undefined);
      const major = row.number(9);
      gpus.push({
        id: row.number(0),
        name: row.text(6) ?? 'unknown GPU',
        ...present('chip', row.text(7)),
        ...present('uuid', row.text(8)),
        ...present('computeCapability', Number.isNaN(major) ? undefined : `${major}.${row.number(10)}`),
        ...present('smCount', number(1)),
        ...present('clockHz', number(2)),
        ...present('memoryBytesPerSec', number(3)),
        ...present('memoryBytes', number(4)),
        ...present('l2Bytes', number(5)),
      });
    });
    return gpus;
  }
}

function present<K extends string, V>(key: K, value: V | undefined): { readonly [P in K]?: V } {
  return (value === undefined ? {} : { [key]: value }) as { readonly [P in K]?: V };
}
