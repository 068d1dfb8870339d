import { existsSync, statSync } from 'node:fs';
import { extname, join } from 'node:path';
import { looksLikeResult } from '../../../workloads/results/resultFormats.ts';
import { InputError } from '../../../workloads/run/inputError.ts';
import { CsvRows, delimiterOf } from '../../../workloads/traffic/csvRows.ts';
import { detectTrace, headBytes, type TraceHints } from '../../../workloads/traffic/traces/detectTrace.ts';
import { checkReadable, rawHead, readWhole, unpackedHeadOf } from '../../shared/openFile.ts';
import { foreignTable } from '../captures/ncu/foreignTables.ts';
import { layoutOf } from '../captures/ncu/layout.ts';
import { statsTraceKind } from '../captures/nsys/statsTrace.ts';

/** The format of a file, and the part of Dyno that opens it. */
export interface FoundFile {
  readonly kind: 'trace' | 'timeline' | 'counters' | 'result' | 'model' | 'run' | 'spec';
  /** For people: "a Qwen-Bailian trace", "a report of Nsight Systems". */
  readonly what: string;
  /** How its values were understood, one phrase each. */
  readonly findings: readonly string[];
}

const found = (kind: FoundFile['kind'], what: string, findings: readonly string[] = []): FoundFile => ({
  kind,
  what,
  findings,
});

const expected =
  'a trace of requests, a report of Nsight Systems or Nsight Compute, a Chrome or PyTorch trace, the result of a load generator, a model’s config.json, a run spec or the folder of a run (docs/files.md lists them)';

/**
 * Looks at a file's first bytes, keys and values, and says what it is; its name counts only where nothing else tells.
 *
 * @throws InputError for what Dyno does not read: it says what was found, and the way to go where one is known
 */
export function whatFile(path: string, hints: TraceHints = {}): FoundFile {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat?.isDirectory() === true) {
    if (existsSync(join(path, 'manifest.json'))) return found('run', 'the folder of a run');
    if (existsSync(join(path, 'config.json'))) return found('model', 'the folder of a model');
    throw new InputError(`${path}: a folder without manifest.json or config.json, expected ${expected}`);
  }
  checkReadable(path, expected);
  // It is opened again by the part of Dyno that reads it: what a pipe gave once it does not give twice.
  if (stat?.isFile() !== true)
    throw new InputError(
      `${path}: it is a pipe or a socket, expected ${expected}; write it to a file first, or name the command that reads it (dyno trace inspect, dyno run --spec)`,
    );
  const byMagic = ofMagic(path, Buffer.from(rawHead(path, 64)));
  if (byMagic !== undefined) return byMagic;
  const head = unpackedHeadOf(path, headBytes);
  const first = head.findIndex((byte) => byte > 32 && ![0xef, 0xbb, 0xbf].includes(byte));
  if (head[first] === 123 || head[first] === 91) return ofJson(path, head, hints);
  if (isBinary(head)) throw binary(path, head);
  return ofTable(path, head) ?? ofTrace(path, head, hints);
}

function ofMagic(path: string, head: Buffer): FoundFile | undefined {
  const text = head.toString('latin1');
  if (text.startsWith('SQLite format 3\0')) return found('timeline', 'an SQLite export of Nsight Systems');
  if (text.startsWith('NVR\0')) return found('counters', 'a report of Nsight Compute');
  const extension = extname(path).toLowerCase();
  if (text.startsWith('NVIDIA Tegra Profiler Report') || extension === '.nsys-rep' || extension === '.qdrep')
    return found('timeline', 'a report of Nsight Systems');
  if (extension === '.ncu-rep') return found('counters', 'a report of Nsight Compute');
  return undefined;
}

function ofJson(path: string, head: Uint8Array, hints: TraceHints): FoundFile {
  const text = new TextDecoder().decode(head);
  if (/"traceEvents"\s*:/.test(text) || /^\s*\[\s*\{[^}]*"ph"\s*:\s*"/.test(text)) {
    const isTorch = /"(deviceProperties|schemaVersion|cuda_runtime|cpu_op)"/.test(text);
    return found('timeline', isTorch ? 'a trace of PyTorch’s profiler (Kineto)' : 'a Chrome trace');
  }
  const document = documentOf(path, text, head.length);
  const result = looksLikeResult(document);
  if (result !== undefined) return found('result', `a result: ${result.title}`);
  if (typeof document === 'object' && document !== null && !Array.isArray(document)) {
    if ('target' in document && 'engine' in document && 'schema' in document)
      return found('spec', 'a run spec');
    if ('spec' in document && 'run' in document) return found('run', 'the manifest of a run');
    if ('model_type' in document || 'architectures' in document || 'num_hidden_layers' in document)
      return found('model', 'a model’s config.json (Hugging Face)');
  }
  // The keys of a result whose document is larger than what is looked at.
  if (/"benchmarks"\s*:\s*\[/.test(text)) return found('result', 'a result: guidellm benchmarks.json');
  return ofTrace(path, head, hints);
}

/** The first JSON value of a file: its first line, or the whole document where that is small enough. */
function documentOf(path: string, text: string, headLength: number): unknown {
  const parsed = (json: string): unknown => {
    try {
      return JSON.parse(json);
    } catch {
      return undefined;
    }
  };
  const trimmed = text.replace(/^\ufeff/, '').trimStart();
  const line = trimmed.split('\n', 1)[0] ?? '';
  const first = parsed(line);
  if (first !== undefined) return first;
  if (headLength < headBytes) return parsed(trimmed);
  const { size } = statSync(path);
  return size <= wholeDocument
    ? parsed(readWhole(path, expected, wholeDocument).toString('utf8'))
    : undefined;
}

const wholeDocument = 64 * 2 ** 20;

function ofTable(path: string, head: Uint8Array): FoundFile | undefined {
  const text = new TextDecoder().decode(head);
  const header = text.split(/\r?\n/).find((line) => /kernel ?name|^"?start ?\(/i.test(line)) ?? '';
  let table: FoundFile | undefined;
  let foreign: ReturnType<typeof foreignTable>;
  let rows = 0;
  const look = new CsvRows(path, delimiterOf(header), (fields) => {
    if (layoutOf(fields) !== undefined) table = found('counters', 'a table of Nsight Compute (CSV)');
    if (statsTraceKind(fields) !== undefined)
      table = found('timeline', 'a table of events of nsys stats (CSV)');
    foreign ??= foreignTable(fields);
    return table === undefined && ++rows < 2000;
  });
  try {
    look.push(text);
    look.end();
  } catch {
    // A head may end inside a quoted field.
  }
  if (table === undefined && foreign !== undefined)
    throw new InputError(`${path}: ${foreign.what}, expected ${expected}; ${foreign.hint}`);
  return table;
}

function ofTrace(path: string, head: Uint8Array, hints: TraceHints): FoundFile {
  const { dialect, findings } = detectTrace(path, head, hints);
  return found('trace', `${/^[AEIOU]/.test(dialect.label) ? 'an' : 'a'} ${dialect.label}`, findings);
}

const isBinary = (head: Uint8Array): boolean =>
  head.subarray(0, 4096).some((byte) => byte < 9 || (byte > 13 && byte < 32 && byte !== 27));

function binary(path: string, head: Uint8Array): InputError {
  const extension = extname(path).toLowerCase();
  // A Perfetto trace is a run of packets: field 1, length-delimited.
  if (head[0] === 0x0a || ['.pftrace', '.perfetto-trace'].includes(extension))
    return new InputError(
      `${path}: a Perfetto trace (protocol buffers), expected ${expected}; ui.perfetto.dev shows it, and traceconv json ${path} OUT.json makes a Chrome trace of it`,
    );
  if (extension === '.qdstrm')
    return new InputError(
      `${path}: an unfinished recording of Nsight Systems, expected its report; QdstrmImporter makes one of it`,
    );
  return new InputError(`${path}: a binary file of a kind that is not known, expected ${expected}`);
}
