import { stat } from 'node:fs/promises';
import { InputError } from '../../../../workloads/run/inputError.ts';
import { openBytes } from '../../../shared/openFile.ts';
import { badFile } from '../captureError.ts';
import { ImportBudget, type ImportLimits, importLimits } from '../importBudget.ts';
import { csvRecords } from '../ncu/csv.ts';
import { textOf } from '../ncu/ncuCsv.ts';
import type { CapturedGpu, NsysReport } from './nsysReport.ts';
import { TimelineColumns } from './timelineColumns.ts';

/**
 * Tables of events that `nsys stats --format csv` prints, one of them or several one after the other, with the tool's own lines between:
 *
 *   cuda_gpu_trace        Start (ns), Duration (ns), CorrId, GrdX, …, Bytes (MB), …, Device, Ctx, Strm, Name   kernels and copies
 *   cuda_api_trace        Start (ns), Duration (ns), Name, Result, CorrID, Pid, Tid, …                         CUDA calls
 *   nvtx_pushpop_trace    Start (ns), End (ns), Duration (ns), …, Name, PID, TID, …                            ranges
 *
 * The unit of a column is the one in its title; nsys prints times as ns unless told otherwise, sizes as MB. Older versions write
 * `Start(nsec)` or `(sec)`.
 */
export async function importStatsTrace(
  path: string,
  options: { readonly limits?: ImportLimits; readonly signal?: AbortSignal } = {},
): Promise<NsysReport> {
  const budget = new ImportBudget(path, options.limits ?? importLimits, options.signal);
  const size = (await stat(path).catch(() => undefined))?.size;
  if (size === undefined) throw badFile(path, 'cannot be opened');
  budget.checkSize(size);
  const reader = new StatsReader(path, budget);
  let row = 0;
  try {
    for await (const fields of csvRecords(path, textOf(openBytes(path)))) {
      row++;
      budget.spendRow();
      if (budget.isDue()) await budget.breathe();
      reader.take(fields, row);
    }
  } catch (thrown) {
    if (thrown instanceof InputError) throw badFile(path, thrown.message.replace(`${path}: `, ''));
    throw thrown;
  }
  return reader.report();
}

type Kind = 'gpu' | 'api' | 'nvtx';

interface Column {
  readonly at: number;
  /** To ns, bytes, or 1 where the title names no unit. */
  readonly factor: number;
}

const factors: Readonly<Record<string, number>> = {
  ns: 1,
  nsec: 1,
  us: 1e3,
  µs: 1e3,
  usec: 1e3,
  ms: 1e6,
  msec: 1e6,
  s: 1e9,
  sec: 1e9,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  kib: 1024,
  mib: 1048576,
  gib: 1073741824,
};

/** Title without its unit, in small letters, and the unit's factor. */
function titled(field: string): { readonly title: string; readonly factor: number } {
  const [, title = '', unit = ''] =
    /^([^(]*?)\s*(?:\(([^)]*)\))?$/.exec(field.replace(/^\ufeff/, '').trim()) ?? [];
  return { title: title.trim().toLowerCase(), factor: factors[unit.trim().toLowerCase()] ?? 1 };
}

/** Which table begins with these titles; undefined where none does. */
export function statsTraceKind(fields: readonly string[]): Kind | undefined {
  const names = new Set(fields.map((field) => titled(field).title));
  if (!names.has('start') || !names.has('duration') || !names.has('name')) return undefined;
  if (names.has('grdx') || names.has('strm') || names.has('ctx')) return 'gpu';
  if (names.has('result') && names.has('corrid')) return 'api';
  if (names.has('end') && (names.has('lvl') || names.has('rangeid'))) return 'nvtx';
  return undefined;
}

class StatsReader {
  private readonly path: string;
  private readonly columns: TimelineColumns;
  private readonly dropped = new Map<string, number>();
  private readonly gpus = new Map<number, CapturedGpu>();
  private readonly seen = new Set<Kind>();
  private kind: Kind | undefined;
  private at: ReadonlyMap<string, Column> = new Map();

  constructor(path: string, budget: ImportBudget) {
    this.path = path;
    this.columns = new TimelineColumns(budget);
  }

  take(fields: readonly string[], row: number): void {
    const begins = statsTraceKind(fields);
    if (begins !== undefined) {
      this.kind = begins;
      this.seen.add(begins);
      this.at = new Map(
        fields.map((field, at) => {
          const { title, factor } = titled(field);
          return [title, { at, factor }];
        }),
      );
      return;
    }
    // Lines of the tool before, between and behind the tables.
    if (this.kind === undefined || fields.length < this.at.size) return;
    const start = this.number(fields, 'start');
    const duration = this.number(fields, 'duration');
    if (Number.isNaN(start) || Number.isNaN(duration)) {
      this.drop('without a start or a duration');
      return;
    }
    if (duration < 0) {
      this.drop('that end before they start');
      return;
    }
    const name = this.text(fields, 'name');
    if (name === '') throw badFile(this.path, `row ${row}: column Name is empty, expected a name`);
    this.event(fields, name, start, start + duration);
  }

  private event(fields: readonly string[], name: string, start: number, end: number): void {
    const number = (title: string): number => this.number(fields, title);
    const pid = number('pid');
    const tid = number('tid');
    switch (this.kind) {
      case 'api':
        this.columns.call({ start, end, name, pid, tid, correlation: number('corrid') });
        return;
      case 'nvtx':
        this.columns.range({ start, end, name: name.replace(/^:/, ''), pid, tid, kind: 59 });
        return;
      default:
    }
    const place = { device: this.device(fields), stream: number('strm') };
    const copy = /^\[CUDA (memcpy|memset)\s*([^\]]*)\]/i.exec(name);
    if (copy !== null) {
      const isSet = copy[1]?.toLowerCase() === 'memset';
      this.columns.copy({
        ...{ start, end, ...place, isSet, bytes: number('bytes') },
        kind: isSet ? 0 : copyKind(copy[2] ?? ''),
      });
      return;
    }
    const shape = (...titles: readonly string[]): number =>
      titles.reduce((product, title) => product * number(title), 1);
    const blockThreads = shape('blkx', 'blky', 'blkz');
    this.columns.kernel({
      ...{ start, end, name, ...place, correlation: number('corrid'), blockThreads },
      gridThreads: shape('grdx', 'grdy', 'grdz') * blockThreads,
      registers: number('reg/trd'),
      sharedBytes: number('stcsmem') + number('dymsmem'),
    });
  }

  report(): NsysReport {
    if (this.seen.size === 0)
      throw badFile(
        this.path,
        'holds no table of events of nsys stats',
        'expected the columns Start, Duration and Name',
      );
    if (this.columns.rows === 0) throw badFile(this.path, 'is a table of nsys stats without any event');
    const lacks = (kind: Kind, report: string, what: string): string[] =>
      this.seen.has(kind) ? [] : [`${what}: add --report ${report}`];
    return this.columns.report({
      tool: { name: 'nsys stats', version: '', schema: [...this.seen].join(', ') },
      gpus: [...this.gpus.values()].sort((a, b) => a.id - b.id),
      missing: [
        ...lacks('gpu', 'cuda_gpu_trace', 'no kernels and copies'),
        ...lacks(
          'api',
          'cuda_api_trace',
          'no CUDA calls: no launch times, and kernels belong to no NVTX range',
        ),
        ...lacks('nvtx', 'nvtx_pushpop_trace', 'no NVTX ranges'),
        ...[...this.dropped].map(([what, rows]) => `${rows} rows dropped: ${what}`),
      ],
    });
  }

  private drop(what: string): void {
    this.dropped.set(what, (this.dropped.get(what) ?? 0) + 1);
  }

  private text(fields: readonly string[], title: string): string {
    const column = this.at.get(title);
    return column === undefined ? '' : (fields[column.at] ?? '').trim();
  }

  /** In base units; NaN where the table does not tell. Thousands may be marked with commas. */
  private number(fields: readonly string[], title: string): number {
    const text = this.text(fields, title).replace(/(?<=\d),(?=\d{3}(\D|$))/g, '');
    return text === '' || text === '-' ? Number.NaN : Number(text) * (this.at.get(title)?.factor ?? 1);
  }

  /** `NVIDIA H200 (0)`, or a number alone. */
  private device(fields: readonly string[]): number {
    const text = this.text(fields, 'device');
    const [, name = '', id = ''] = /^(.*?)\s*\((\d+)\)$/.exec(text) ?? [];
    const device = id === '' ? (text === '' ? Number.NaN : Number(text)) : Number(id);
    if (name !== '' && !this.gpus.has(device)) this.gpus.set(device, { id: device, name });
    return device;
  }
}

/** CUDA_MEMCPY_KIND of `Host-to-Device`, `HtoD`, `Peer-to-Peer` … */
function copyKind(words: string): number {
  const short = words
    .toLowerCase()
    .replace(/host/g, 'h')
    .replace(/device/g, 'd')
    .replace(/peer/g, 'p')
    .replace(/[^hdpto]/g, '');
  const kinds: Readonly<Record<string, number>> = { htod: 1, dtoh: 2, dtod: 8, htoh: 9, ptop: 10 };
  return kinds[short] ?? 0;
}
