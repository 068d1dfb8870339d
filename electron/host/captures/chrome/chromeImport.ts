import { stat } from 'node:fs/promises';
import { InputError } from '../../../../workloads/run/inputError.ts';
import { openBytes } from '../../../shared/openFile.ts';
import { badFile } from '../captureError.ts';
import { ImportBudget, type ImportLimits, importLimits } from '../importBudget.ts';
import type { CapturedGpu, NsysReport } from '../nsys/nsysReport.ts';
import { TimelineColumns } from '../nsys/timelineColumns.ts';
import { type ChromeEvent, readChromeEvents } from './chromeEvents.ts';

/**
 * A trace in Chrome's format as the columns of a timeline: those of PyTorch's profiler (Kineto), with kernels, copies, launch
 * calls and operators, and any other, whose slices become ranges of their threads.
 *
 *     cat kernel                     -> kernels          cuda_runtime, cuda_driver   -> launch calls
 *     cat gpu_memcpy, gpu_memset     -> copies           every other slice           -> ranges
 *
 * Times are µs, with up to three decimals that count; a trace may begin at any of them, and its first event is time 0.
 */
export async function importChromeTrace(
  path: string,
  options: { readonly limits?: ImportLimits; readonly signal?: AbortSignal } = {},
): Promise<NsysReport> {
  const budget = new ImportBudget(path, options.limits ?? importLimits, options.signal);
  const size = (await stat(path).catch(() => undefined))?.size;
  if (size === undefined) throw badFile(path, 'cannot be opened');
  if (size === 0) throw badFile(path, 'is empty, expected a Chrome trace (JSON)');
  budget.checkSize(size);
  const reader = new ChromeReader(budget);
  try {
    const { preamble, cutOff } = await readChromeEvents(path, openBytes(path), budget, reader.take);
    return reader.report(path, preamble, cutOff);
  } catch (thrown) {
    if (thrown instanceof InputError) throw badFile(path, thrown.message.replace(`${path}: `, ''));
    throw thrown;
  }
}

const toNs = (us: unknown): number =>
  typeof us === 'number'
    ? Math.round(us * 1000)
    : typeof us === 'string'
      ? Math.round(Number(us) * 1000)
      : Number.NaN;
const numberAt = (args: unknown, ...keys: readonly string[]): number => {
  if (typeof args !== 'object' || args === null) return Number.NaN;
  const values = args as Readonly<Record<string, unknown>>;
  for (const key of keys) {
    const value = values[key];
    if (typeof value === 'number') return value;
    if (typeof value === 'string' && value.trim() !== '' && Number.isFinite(Number(value)))
      return Number(value);
  }
  return Number.NaN;
};
const product = (args: unknown, key: string): number => {
  if (typeof args !== 'object' || args === null) return Number.NaN;
  const value = (args as Readonly<Record<string, unknown>>)[key];
  return Array.isArray(value) && value.length > 0
    ? value.reduce((p: number, n: unknown) => p * Number(n), 1)
    : Number.NaN;
};

/** CUDA_MEMCPY_KIND by the name that Kineto gives a copy. */
function copyKind(name: string): number {
  const kinds: Readonly<Record<string, number>> = { HtoD: 1, DtoH: 2, DtoD: 8, HtoH: 9, PtoP: 10 };
  const found = /\b(HtoD|DtoH|DtoD|HtoH|PtoP)\b/.exec(name)?.[1];
  return found === undefined ? 0 : (kinds[found] ?? 0);
}

interface Begun {
  readonly name: string;
  readonly start: number;
}

class ChromeReader {
  readonly #columns: TimelineColumns;
  readonly #threads = new Map<string, number>();
  /** Slices that a B event began, by thread, innermost last. */
  readonly #begun = new Map<string, Begun[]>();
  readonly #other = new Map<string, number>();
  #isKineto = false;

  constructor(budget: ImportBudget) {
    this.#columns = new TimelineColumns(budget);
  }

  readonly take = (event: ChromeEvent): void => {
    const { ph, args } = event;
    const category = typeof event.cat === 'string' ? event.cat : '';
    const name = typeof event.name === 'string' ? event.name : '';
    const start = toNs(event.ts);
    if (ph === 'M') return;
    if (Number.isNaN(start)) {
      this.#skip('events without a time');
      return;
    }
    switch (ph) {
      case 'X': {
        const dur = event.dur === undefined ? 0 : toNs(event.dur);
        if (!(dur >= 0)) {
          this.#skip('slices that end before they start');
          return;
        }
        this.#slice(event, category, name, start, start + dur, args);
        return;
      }
      case 'B': {
        const key = this.#thread(event);
        const stack = this.#begun.get(key) ?? [];
        this.#begun.set(key, stack);
        stack.push({ name, start });
        return;
      }
      case 'E': {
        const begun = this.#begun.get(this.#thread(event))?.pop();
        if (begun === undefined) {
          this.#skip('ends of slices that never began');
          return;
        }
        this.#range(event, begun.name, begun.start, start, 59);
        return;
      }
      case 'i':
      case 'I':
      case 'R':
        this.#range(event, name, start, start, 34);
        return;
      default:
        this.#skip(`events of phase ${typeof ph === 'string' ? ph : 'unknown'}`);
    }
  };

  #skip(what: string): void {
    this.#other.set(what, (this.#other.get(what) ?? 0) + 1);
  }

  #slice(
    event: ChromeEvent,
    category: string,
    name: string,
    start: number,
    end: number,
    args: unknown,
  ): void {
    switch (category.toLowerCase()) {
      case 'kernel': {
        this.#isKineto = true;
        const block = product(args, 'block');
        this.#columns.kernel({
          ...{ start, end, name, device: numberAt(args, 'device'), stream: numberAt(args, 'stream') },
          correlation: numberAt(args, 'correlation', 'External id'),
          gridThreads: product(args, 'grid') * block,
          blockThreads: block,
          registers: numberAt(args, 'registers per thread'),
        });
        return;
      }
      case 'gpu_memcpy':
      case 'gpu_memset': {
        this.#isKineto = true;
        const isSet = category.toLowerCase() === 'gpu_memset';
        this.#columns.copy({
          ...{ start, end, kind: isSet ? 0 : copyKind(name), isSet, bytes: numberAt(args, 'bytes') },
          ...{ device: numberAt(args, 'device'), stream: numberAt(args, 'stream') },
        });
        return;
      }
      case 'cuda_runtime':
      case 'cuda_driver':
      case 'runtime': {
        this.#isKineto = true;
        const [pid, tid] = this.#place(event);
        this.#columns.call({ start, end, name, pid, tid, correlation: numberAt(args, 'correlation') });
        return;
      }
      default:
        this.#range(event, name, start, end, 59);
    }
  }

  #range(event: ChromeEvent, name: string, start: number, end: number, kind: number): void {
    const [pid, tid] = this.#place(event);
    this.#columns.range({ start, end, name, pid, tid, kind });
  }

  #thread = (event: ChromeEvent): string => `${String(event.pid)}/${String(event.tid)}`;

  /** Process and thread as numbers; names of threads get numbers of their own. */
  #place(event: ChromeEvent): readonly [number, number] {
    const numbered = (value: unknown, what: string): number => {
      const number = Number(value);
      if (Number.isSafeInteger(number) && number >= 0) return number;
      const key = `${what} ${String(value)}`;
      const known = this.#threads.get(key) ?? 1_000_000 + this.#threads.size;
      this.#threads.set(key, known);
      return known;
    };
    return [numbered(event.pid, 'process'), numbered(event.tid, 'thread')];
  }

  report(path: string, preamble: string, cutOff: boolean): NsysReport {
    const unended = [...this.#begun.values()].reduce((sum, stack) => sum + stack.length, 0);
    if (unended > 0) this.#other.set('slices that never end', unended);
    if (this.#columns.rows === 0 && this.#columns.skipped > 0)
      throw badFile(
        path,
        `has no event in the part that was asked for (${this.#columns.skipped} outside of it)`,
      );
    if (this.#columns.rows === 0)
      throw badFile(path, 'is a Chrome trace without any slice, expected events of phase X, or B and E');
    return this.#columns.report({
      tool: {
        name: this.#isKineto ? 'PyTorch profiler' : 'Chrome trace',
        version: versionIn(preamble),
        schema: 'trace event format',
      },
      gpus: gpusIn(preamble),
      missing: [
        ...(this.#columns.kernelRows === 0 ? ['kernels: the trace has none (was the GPU profiled?)'] : []),
        ...(cutOff
          ? ['the end of the file: it is cut off, or was not closed; what came before is shown']
          : []),
        ...[...this.#other].map(([what, count]) => `${count} ${what} are not shown`),
      ],
    });
  }
}

const versionIn = (preamble: string): string =>
  /"(?:schemaVersion|version|torch_version)"\s*:\s*"?([\w.+-]+)/.exec(preamble)?.[1] ?? '';

/** Kineto lists its devices before the events: `"deviceProperties": [{"id": 0, "name": "NVIDIA H200", …}]`. */
function gpusIn(preamble: string): CapturedGpu[] {
  const found = /"deviceProperties"\s*:\s*(\[[^\]]*\])/.exec(preamble)?.[1];
  if (found === undefined) return [];
  try {
    const devices: unknown = JSON.parse(found);
    return (Array.isArray(devices) ? devices : []).flatMap((device: unknown): CapturedGpu[] => {
      const id = numberAt(device, 'id');
      const name = (device as Readonly<Record<string, unknown>> | null)?.['name'];
      return typeof name === 'string' && !Number.isNaN(id) ? [{ id, name }] : [];
    });
  } catch {
    return [];
  }
}
