import { open } from 'node:fs/promises';
import { badFile, CaptureError } from '../captureError.ts';
import { ImportBudget, type ImportLimits, importLimits } from '../importBudget.ts';
import { type CapturedKernel, missingForRoofline, type NcuReport } from './ncuReport.ts';
import { readFields, WireError } from './protobuf.ts';

/**
 * Reads a `.ncu-rep` itself, so that a report can be looked at where Nsight Compute is not installed. The format is a chain
 * of protocol-buffer messages (ncu ships its .proto files); checked on a report of ncu 2025.3, format version 7:
 *
 *     "NVR\0"  [size u32][file header]
 *     block:   [size u32][header: 1 sources, 2 results, 4 string table {1 string …}, 5 payload bytes]
 *              [size u32][source] × sources   [size u32][result] × results          little-endian sizes
 *     result:  5, 6 kernel name · 10 grid · 11 block · 13 metric {1 name id, 2 value} …
 *     value:   1 string · 2 float · 3 double · 4 uint32 · 5 uint64
 *
 * String tables of all blocks make one list; a metric's name is an index into it. Values are in base units.
 * A version that this does not know is read as far as it goes, and `missing` tells; `importNcu` prefers the installed ncu.
 */
export async function readNcuReport(
  path: string,
  options: { readonly limits?: ImportLimits; readonly signal?: AbortSignal } = {},
): Promise<NcuReport> {
  const budget = new ImportBudget(path, options.limits ?? importLimits, options.signal);
  let file: Awaited<ReturnType<typeof open>>;
  try {
    file = await open(path, 'r');
  } catch {
    throw badFile(path, 'cannot be opened');
  }
  try {
    const { size } = await file.stat();
    if (size === 0) throw badFile(path, 'is empty; expected an Nsight Compute report');
    budget.checkSize(size);
    const read = async (offset: number, length: number, what: string): Promise<Buffer> => {
      if (length > largestMessage) throw badFile(path, `${what} claims ${length} bytes: the file is damaged`);
      if (offset + length > size)
        throw badFile(path, `is cut off: ${what} needs bytes up to ${offset + length} of ${size}`);
      const buffer = Buffer.alloc(length);
      const { bytesRead } = await file.read(buffer, 0, length, offset);
      if (bytesRead !== length) throw badFile(path, 'got shorter while it was read');
      return buffer;
    };
    const message = async (offset: number, what: string) => {
      const length = (await read(offset, 4, what)).readUInt32LE(0);
      return { bytes: await read(offset + 4, length, what), end: offset + 4 + length };
    };
    if (size < 8 || (await read(0, 4, 'the start')).toString('latin1') !== 'NVR\0') {
      throw badFile(path, 'is not an Nsight Compute report');
    }
    let at = (await message(4, 'the file header')).end;
    const strings: string[] = [];
    const kernels: CapturedKernel[] = [];
    while (at < size) {
      const header = await message(at, 'a block header');
      const block = readBlockHeader(header.bytes, strings);
      at = header.end;
      const end = at + block.payload;
      if (end > size) throw badFile(path, `is cut off: a block needs bytes up to ${end} of ${size}`);
      for (let entry = 0; entry < block.sources + block.results && at < end; entry += 1) {
        budget.spendRow();
        if (budget.isDue()) await budget.breathe();
        if (entry < block.sources) {
          at += 4 + (await read(at, 4, 'a source')).readUInt32LE(0);
          continue;
        }
        const result = await message(at, 'a result');
        kernels.push(readResult(result.bytes, kernels.length, strings));
        at = result.end;
      }
      at = Math.max(at, end);
    }
    const card = kernels[0]?.texts.get('device__attribute_display_name');
    return {
      source: 'captured',
      kernels,
      ...(card === undefined ? {} : { card }),
      missing: missingForRoofline(kernels),
      unknownUnits: [],
    };
  } catch (error) {
    if (error instanceof CaptureError) throw error;
    const what = error instanceof WireError || error instanceof RangeError ? error.message : String(error);
    throw badFile(
      path,
      `is damaged: ${what}`,
      'capture again, or export it with: ncu --import FILE --csv --page raw',
    );
  } finally {
    await file.close();
  }
}

/** One result of a `--set full` capture is about 5 MiB; SASS sources are larger but skipped. */
const largestMessage = 512 * 2 ** 20;

function readBlockHeader(bytes: Buffer, strings: string[]) {
  let sources = 0;
  let results = 0;
  let payload = 0;
  readFields(bytes, (field) => {
    if (field.number === 1) sources = field.value ?? 0;
    else if (field.number === 2) results = field.value ?? 0;
    else if (field.number === 5) payload = field.value ?? 0;
    else if (field.number === 4 && field.bytes !== undefined) {
      readFields(field.bytes, (one) => {
        if (one.number === 1) strings.push(one.bytes?.toString('utf8') ?? '');
      });
    }
  });
  return { sources, results, payload };
}

function readResult(bytes: Buffer, id: number, strings: readonly string[]): CapturedKernel {
  const metrics = new Map<string, number>();
  const texts = new Map<string, string>();
  let demangled = '';
  let name = '';
  let grid: [number, number, number] | undefined;
  let block: [number, number, number] | undefined;
  readFields(bytes, (field) => {
    if (field.bytes === undefined) return;
    if (field.number === 5) name = field.bytes.toString('utf8');
    else if (field.number === 6) demangled = field.bytes.toString('utf8');
    else if (field.number === 10) grid = readDimensions(field.bytes);
    else if (field.number === 11) block = readDimensions(field.bytes);
    else if (field.number === 13) readMetric(field.bytes, strings, metrics, texts);
  });
  const major = metrics.get('device__attribute_compute_capability_major');
  const minor = metrics.get('device__attribute_compute_capability_minor');
  const device = metrics.get('launch__device_id');
  const stream = metrics.get('launch__stream_id');
  return {
    id,
    name: demangled || name || 'unnamed',
    ...(device === undefined ? {} : { device }),
    ...(stream === undefined ? {} : { stream }),
    ...(major === undefined || minor === undefined ? {} : { computeCapability: `${major}.${minor}` }),
    ...(grid === undefined ? {} : { grid }),
    ...(block === undefined ? {} : { block }),
    ranges: [],
    metrics,
    texts,
  };
}

function readDimensions(bytes: Buffer): [number, number, number] {
  const size: [number, number, number] = [1, 1, 1];
  readFields(bytes, ({ number, value }) => {
    if (value !== undefined && number >= 1 && number <= 3) size[number - 1] = value;
  });
  return size;
}

function readMetric(
  bytes: Buffer,
  strings: readonly string[],
  metrics: Map<string, number>,
  texts: Map<string, string>,
): void {
  let nameId = 0;
  let value: Buffer | undefined;
  readFields(bytes, (field) => {
    if (field.number === 1) nameId = field.value ?? 0;
    else if (field.number === 2) value = field.bytes;
  });
  const name = strings[nameId];
  if (name === undefined || value === undefined) return;
  readFields(value, (field) => {
    if (field.bytes !== undefined) texts.set(name, field.bytes.toString('utf8'));
    else {
      const number = field.real ?? field.value;
      if (number !== undefined && Number.isFinite(number)) metrics.set(name, number);
    }
  });
}
