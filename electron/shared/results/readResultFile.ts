import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { type Json, membersOf } from '../../../workloads/results/jsonValues.ts';
import type { MeasuredResult } from '../../../workloads/results/measuredResult.ts';
import { looksLikeResult, ResultLines, readResult } from '../../../workloads/results/resultFormats.ts';
import { InputError } from '../../../workloads/run/inputError.ts';
import { checkReadable, openBytes, readJson } from '../openFile.ts';

/** A document that is not one object per line is parsed as a whole: larger ones are refused. */
const largestDocument = 400 * 2 ** 20;
/** A line with --save-detailed holds every generated text. */
const longestLine = 400 * 2 ** 20;

const expected =
  'the result of a load generator (vLLM bench, AIPerf, inference-perf, guidellm, SGLang bench)';

/**
 * Reads the result file of a load generator: one measured result per benchmark in it. JSON lines are streamed, so an AIPerf
 * file may be larger than memory; of the requests only their figures are kept. InputError says file, place, found, expected.
 */
export async function readResultFile(path: string): Promise<MeasuredResult[]> {
  checkReadable(path, expected);
  const file = basename(path);
  const lines = new ResultLines(file);
  let number = 0;
  let isLines = true;
  const whole: string[] = [];
  let wholeLength = 0;
  for await (const text of textLines(path)) {
    number += 1;
    if (text.trim() === '') continue;
    if (isLines) {
      const value = parsed(text);
      // A list on one line is a document, not a line of a JSON lines file.
      if (value !== undefined && !Array.isArray(value.json)) {
        lines.line(value.json, number);
        continue;
      }
      // A broken line in the middle is an error; a broken first line begins a document of several lines.
      if (whole.length > 0 || lines.started)
        throw new InputError(`${file}:${number}: not JSON, expected an object`);
      isLines = false;
    }
    whole.push(text);
    wholeLength += text.length;
    if (wholeLength > largestDocument)
      throw new InputError(
        `${file}: a JSON document of more than ${largestDocument / 2 ** 20} MiB, expected less`,
      );
  }
  if (isLines) {
    if (number === 0 || !lines.started) throw new InputError(`${file}: no JSON, expected ${expected}`);
    return lines.end(summaryBeside(path));
  }
  const document = parsed(whole.join('\n'));
  if (document === undefined)
    throw new InputError(`${file}: not JSON (is the file cut off?), expected ${expected}`);
  return readResult(file, document.json);
}

/** True where the first bytes of a file look like a result: cheap, and wrong only for files that begin alike. */
export function looksLikeResultText(start: string): boolean {
  const line = parsed(start.slice(0, start.indexOf('\n') < 0 ? undefined : start.indexOf('\n')));
  if (line !== undefined) return looksLikeResult(line.json) !== undefined;
  // The beginning of a document: its keys so far.
  const keys = [...start.matchAll(/"([A-Za-z_][\w.-]*)"\s*:/g)].map((match) => match[1] ?? '');
  const guess: Record<string, unknown> = Object.fromEntries(keys.map((key) => [key, {}]));
  if (/"benchmarks"\s*:\s*\[/.test(start)) guess['benchmarks'] = [];
  return looksLikeResult(/^\s*\[/.test(start) ? [guess] : guess) !== undefined;
}

function parsed(text: string): { readonly json: unknown } | undefined {
  try {
    // Python writes NaN and Infinity, which JSON does not know: they are absent values.
    return { json: JSON.parse(text) };
  } catch {
    if (!/\b(?:NaN|Infinity)\b/.test(text)) return undefined;
  }
  try {
    return { json: JSON.parse(text.replaceAll(/(?<=[:[,]\s*)-?(?:NaN|Infinity)(?=\s*[,\]}])/g, 'null')) };
  } catch {
    return undefined;
  }
}

async function* textLines(path: string): AsyncGenerator<string> {
  let rest: Buffer[] = [];
  let length = 0;
  let isFirst = true;
  const take = (last: Buffer): string => {
    const text = Buffer.concat([...rest, last]).toString('utf8');
    rest = [];
    length = 0;
    const start = isFirst && text.startsWith('\ufeff') ? 1 : 0;
    isFirst = false;
    return text.slice(start);
  };
  for await (const chunk of openBytes(path)) {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    let from = 0;
    for (let feed = bytes.indexOf(10); feed >= 0; feed = bytes.indexOf(10, from)) {
      yield take(bytes.subarray(from, feed));
      from = feed + 1;
    }
    rest.push(Buffer.from(bytes.subarray(from)));
    length += bytes.length - from;
    if (length > longestLine)
      throw new InputError(
        `${basename(path)}: a line of more than ${longestLine / 2 ** 20} MiB, expected less`,
      );
  }
  if (length > 0) yield take(Buffer.alloc(0));
}

/** AIPerf writes its aggregates, with model and version, beside the requests. */
function summaryBeside(path: string): Json | undefined {
  const name = basename(path).replace(/\.jsonl$/, '_aiperf.json');
  const file = join(dirname(path), name);
  if (name === basename(path) || !existsSync(file)) return undefined;
  try {
    return membersOf(readJson(file, 'the aggregates of AIPerf (JSON)'));
  } catch {
    return undefined;
  }
}
