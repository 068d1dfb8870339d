import { InputError } from '../../run/inputError.ts';
import type { TimeUnit } from '../../run/timeUnits.ts';
import { type Blocked, blockSizeOf } from './blockSize.ts';
import { CsvTraceRows } from './csvTraceRows.ts';
import { type Dialect, dialects, type TraceShape } from './dialects.ts';
import { JsonElements } from './jsonElements.ts';
import { JsonTraceRows } from './jsonTraceRows.ts';
import { type UnitFinding, unitOf } from './timeUnit.ts';
import { columnNamed, type Field, type TraceRow } from './traceRow.ts';

/** What the command line or the form may settle. */
export interface TraceHints {
  readonly time_unit?: TimeUnit | undefined;
  /** 0: the block ids are left out. */
  readonly block_tokens?: number | undefined;
  readonly rate_rps?: number | undefined;
  readonly chars_per_token?: number | undefined;
  readonly output_tokens?: number | undefined;
}

/** What a file was taken for, and how its values are to be understood. */
export interface TracePlan {
  readonly dialect: Dialect;
  readonly shape: TraceShape;
  /** Bytes before the first element, where the array stands in an object: `{"requests": [`. 0 otherwise. */
  readonly skip: number;
  /** `date`: times of day in text; `none`: no times, arrivals are drawn at a rate. */
  readonly time: TimeUnit | 'date' | 'none';
  readonly blockTokens: number;
  readonly hasSessions: boolean;
  /** Later turns hold only what is new: the conversation before them is added. */
  readonly addsTurns: boolean;
  /** How it was understood, one phrase each: for the command line and the form. */
  readonly findings: readonly string[];
}

interface Sampled {
  readonly line: number;
  readonly time: number;
  readonly timeUnit: TimeUnit | undefined;
  readonly statedUnit: TimeUnit | undefined;
  readonly isDate: boolean;
  readonly prompt: number;
  readonly output: number;
  readonly ids: readonly (number | string)[] | undefined;
  readonly session: string | undefined;
  readonly delay: number;
  readonly blockTokens: number;
  readonly hasText: boolean;
}

/** No model has a context of more tokens: a longer prompt was probably counted in characters or bytes. */
export const longestContext = 10_000_000;

const sampledRows = 4096;
/** Bytes of the file's start that the detector wants to see. */
export const headBytes = 512 * 1024;

/**
 * Says what a trace file is from its first bytes (uncompressed): the names of its columns or keys choose the dialect, the
 * values settle the unit of time, the block size and what later turns hold.
 *
 * @throws InputError that asks, naming the option, where the values allow several readings or none
 */
export function detectTrace(name: string, head: Uint8Array, hints: TraceHints = {}): TracePlan {
  const skip = wrapperOf(head);
  const shape = skip > 0 ? 'array' : shapeOf(name, head);
  const names = namesIn(shape, head);
  const dialect =
    dialects.find(({ claims }) => claims(names, shape === 'csv')) ??
    // Records without any key, or with a time alone, are read as Mooncake's: its reader says what is wrong with the first.
    (names.size === 0 || names.has('timestamp') ? dialects.find(({ id }) => id === 'mooncake') : undefined);
  if (dialect === undefined) {
    const some = [...names].slice(0, 8).join(', ');
    throw new InputError(
      `${name}:1: ${some === '' ? 'no names of columns' : `the keys ${some}`}, expected a trace of requests: prompt and output tokens (such as input_length, output_length) and a time`,
    );
  }
  const rows = sample(name, shape, head, skip);
  const findings: string[] = [];
  const time = timeOf(name, dialect, rows, hints, findings);
  const blockTokens = blocksOf(name, dialect, rows, hints, findings);
  const hasSessions = rows.some(({ session }) => session !== undefined);
  const addsTurns = hasSessions && dialect.turns === 'values' && !holdsWhole(rows);
  if (hasSessions) {
    const isClosed = rows.some(({ delay }) => !Number.isNaN(delay));
    findings.push(
      `sessions${isClosed ? ', whose next turn follows the answer' : ''}${addsTurns ? '; rows are new turns, the conversation before is added' : ''}`,
    );
  }
  return { dialect, shape, skip, time, blockTokens, hasSessions, addsTurns, findings };
}

/**
 * An object around the array of requests, with what tools write before it (`{"metadata": {…}, "requests": [`): the bytes up to and
 * including the bracket, 0 where there is none.
 */
function wrapperOf(head: Uint8Array): number {
  const text = String.fromCharCode(...head.subarray(0, 8192));
  const value = String.raw`(?:"(?:[^"\\]|\\.)*"|-?[\d.eE+-]+|true|false|null|\{[^{}]*\}|\[[^[\]{}]*\])`;
  const before = String.raw`(?:"[\w .-]{1,40}"\s*:\s*${value}\s*,\s*){0,20}`;
  const wrapper = String.raw`^(?:\u00ef\u00bb\u00bf)?\s*\{\s*${before}"(?:requests|trace|traces|records|entries|data)"\s*:\s*\[(?=\s*\{)`;
  const found = new RegExp(wrapper).exec(text)?.[0] ?? '';
  // A request may hold lists of its own: then it is a row, and what it holds are no requests.
  const element = text.slice(found.length, text.indexOf('}', found.length));
  return hasRequestColumn(element) && !hasRequestColumn(found) ? found.length : 0;
}

const requestFields = new Set<string>(['prompt', 'output', 'text', 'time', 'ids'] satisfies Field[]);
const hasRequestColumn = (text: string): boolean =>
  [...text.matchAll(/"([A-Za-z_][A-Za-z0-9_ ]{0,40})"\s*:/g)].some(([, key = '']) =>
    requestFields.has(columnNamed(key)?.field ?? ''),
  );

function shapeOf(name: string, head: Uint8Array): TraceShape {
  let at = head[0] === 0xef && head[1] === 0xbb && head[2] === 0xbf ? 3 : 0;
  while (at < head.length && [32, 9, 10, 13].includes(head[at] ?? 0)) at++;
  const end = Math.min(head.length, at + 200);
  if (at >= head.length) throw new InputError(`${name}: no request, expected a trace of requests`);
  if (head[at] === 123) return 'lines';
  if (head[at] === 91) return 'array';
  const line = String.fromCharCode(...head.subarray(at, end));
  const first = line.split(/[\r\n]/)[0] ?? '';
  if (/[,;\t]/.test(first) && !head.subarray(at, end).some((byte) => byte < 9)) return 'csv';
  throw new InputError(
    `${name}:1: another kind of text, expected a trace of requests: JSON objects, one per line, or a CSV file with a header`,
  );
}

/** Keys of the first records, or the header's columns, in lower case with underscores. */
function namesIn(shape: TraceShape, head: Uint8Array): ReadonlySet<string> {
  const names = new Set<string>();
  const text = String.fromCharCode(...head.subarray(0, 32 * 1024));
  if (shape === 'csv') {
    const header =
      text
        .replace(/^\u00ef\u00bb\u00bf/, '')
        .trimStart()
        .split(/[\r\n]/)[0] ?? '';
    for (const column of header.split(/[,;\t]/))
      names.add(
        column
          .trim()
          .replace(/^["']+|["']+$/g, '')
          .trim()
          .toLowerCase()
          .replace(/[\s-]+/g, '_'),
      );
    return names;
  }
  for (const [, key] of text.matchAll(/"([A-Za-z_][A-Za-z0-9_]{0,40})"\s*:/g))
    if (key !== undefined) names.add(key);
  return names;
}

/** Rows of the head as far as they can be read; what is wrong with a later one is said when it is read for good. */
function sample(name: string, shape: TraceShape, head: Uint8Array, skip: number): readonly Sampled[] {
  const rows: Sampled[] = [];
  const keep = (row: TraceRow): boolean => {
    rows.push({
      line: row.line,
      time: row.time,
      timeUnit: row.timeUnit,
      statedUnit: row.statedUnit,
      isDate: row.isDate,
      prompt: row.prompt,
      output: row.output,
      ids: row.idCount < 0 ? undefined : row.ids.slice(0, row.idCount),
      session: row.session ?? row.chat,
      delay: row.delay,
      blockTokens: row.blockTokens,
      hasText: row.promptChars >= 0,
    });
    return rows.length < sampledRows;
  };
  try {
    if (shape === 'csv') {
      const end = Math.max(head.lastIndexOf(10), head.lastIndexOf(13)) + 1;
      const csv = new CsvTraceRows(name, keep);
      // A head that is the whole file may end without a line break.
      csv.push(head.length < headBytes ? head : head.subarray(0, end));
      csv.end();
    } else if (shape === 'lines') {
      const json = new JsonTraceRows(name, keep);
      const start = head[0] === 0xef ? 3 : 0;
      let line = 0;
      for (let at = start; at < head.length; ) {
        const found = head.indexOf(10, at);
        if (found < 0 && head.length >= headBytes) break;
        const end = found < 0 ? head.length : found;
        line++;
        if (!isBlank(head, at, end) && !json.record(head, at, end, line)) break;
        at = end + 1;
      }
    } else {
      const json = new JsonTraceRows(name, keep);
      const elements = new JsonElements(
        name,
        (bytes, start, end, number) => json.record(bytes, start, end, number),
        skip > 0,
      );
      elements.push(head.subarray(skip));
    }
  } catch (thrown) {
    if (!(thrown instanceof InputError)) throw thrown;
    if (rows.length === 0) throw thrown;
  }
  return rows;
}

function isBlank(bytes: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if ((bytes[i] ?? 0) > 32) return false;
  return true;
}

function timeOf(
  name: string,
  dialect: Dialect,
  rows: readonly Sampled[],
  hints: TraceHints,
  findings: string[],
): TimeUnit | 'date' | 'none' {
  const timed = rows.filter(({ time }) => !Number.isNaN(time));
  if (timed.length === 0) {
    if (hints.rate_rps !== undefined) {
      findings.push(`no times: Poisson arrivals at ${hints.rate_rps} requests/s`);
      return 'none';
    }
    // The complaint of a row without a time is more exact than this one, where rows are meant to have one.
    if (rows.length === 0) return dialect.unit;
    throw new InputError(
      `${name}:${rows[0]?.line ?? 1}: no time of arrival, expected one per request or session; --rate R draws arrivals at R requests/s`,
    );
  }
  if (timed.some(({ isDate }) => isDate)) {
    findings.push('times of day');
    return 'date';
  }
  const finding = numericUnit(dialect, timed, hints);
  if (finding.unit === undefined)
    throw new InputError(
      `${name}: ${finding.reason}, expected a rate of a serving system; --time-unit s|ms|us|ns says which unit it is`,
    );
  findings.push(
    `times in ${finding.unit}${finding.because === 'values' ? ', by their values' : finding.because === 'given' ? ', as given' : ''}`,
  );
  return finding.unit;
}

function numericUnit(dialect: Dialect, timed: readonly Sampled[], hints: TraceHints): UnitFinding {
  if (hints.time_unit !== undefined) return { unit: hints.time_unit, because: 'given' };
  const stated = timed.find(({ statedUnit }) => statedUnit !== undefined)?.statedUnit;
  if (stated !== undefined) return { unit: stated, because: 'name' };
  const named = timed[0]?.timeUnit;
  const times = timed.map(({ time }) => time);
  return unitOf(times, named === undefined ? dialect : { unit: named, unitVaries: false });
}

function blocksOf(
  name: string,
  dialect: Dialect,
  rows: readonly Sampled[],
  hints: TraceHints,
  findings: string[],
): number {
  const blocked: Blocked[] = [];
  for (const { line, prompt, ids } of rows)
    if (ids !== undefined && prompt >= 1 && prompt <= longestContext)
      blocked.push({ line, prompt, ids: ids.length });
  if (!blocked.some(({ ids }) => ids > 0)) return 0;
  if (hints.block_tokens === 0) {
    findings.push('block ids left out, as given');
    return 0;
  }
  if (hints.block_tokens !== undefined) {
    findings.push(`blocks of ${hints.block_tokens} tokens, as given`);
    return hints.block_tokens;
  }
  const said = rows.find(({ blockTokens }) => blockTokens >= 1)?.blockTokens;
  if (said !== undefined) {
    findings.push(`blocks of ${said} tokens`);
    return said;
  }
  const found = blockSizeOf(blocked, dialect.blockTokens);
  if (found.tokens !== undefined) {
    findings.push(
      `blocks of ${found.tokens} tokens${found.tokens === dialect.blockTokens ? '' : ', by their number'}`,
    );
    return found.tokens;
  }
  const [a, b] = contradiction(blocked);
  const seen = [a, b]
    .filter((row) => row !== undefined)
    .map(({ ids, prompt }) => `${ids} hash_ids for ${prompt} tokens`)
    .join(' and ');
  const fit =
    found.range === undefined
      ? 'fit no block size'
      : `fit blocks of ${found.range[0]} to ${found.range[1]} tokens`;
  throw new InputError(
    `${name}:${(b ?? a)?.line ?? 1}: ${seen} ${fit}, expected one id per block; --block-tokens N gives the size, --block-tokens 0 leaves the ids out`,
  );
}

/** Two requests that no one block size explains; the first alone where any two agree. */
function contradiction(rows: readonly Blocked[]): readonly [Blocked | undefined, Blocked | undefined] {
  const few = rows.slice(0, 200);
  for (const [i, b] of few.entries())
    for (const a of few.slice(0, i)) {
      const found = blockSizeOf([a, b], 0);
      if (found.tokens === undefined && found.range === undefined) return [a, b];
    }
  return [rows[0], undefined];
}

/** Whether later turns of a session hold the conversation before them: shared block ids, or prompts that always grow by it. */
function holdsWhole(rows: readonly Sampled[]): boolean {
  const last = new Map<string, Sampled>();
  let later = 0;
  let growing = 0;
  let withIds = 0;
  for (const row of rows) {
    const { session } = row;
    if (session === undefined) continue;
    const before = last.get(session);
    last.set(session, row);
    if (before === undefined) continue;
    later++;
    const first = before.ids?.[0];
    if (row.ids !== undefined && first !== undefined) {
      withIds++;
      if (row.ids[0] === first) return true;
    }
    if (row.prompt >= before.prompt + before.output) growing++;
  }
  return withIds === 0 && later >= 3 && growing === later;
}
