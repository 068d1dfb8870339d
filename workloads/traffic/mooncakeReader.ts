import { InputError } from '../run/inputError.ts';
import { JsonScanner } from './jsonScanner.ts';
import { forEachLine, shown } from './lines.ts';
import type { Traffic } from './traffic.ts';
import { maxTokens, TrafficBuilder } from './trafficBuilder.ts';

/** Mooncake's block: one hash id per 512 tokens of the prompt, the last one partial. */
export const mooncakeBlockTokens = 512;

const comma = 44;
const closeBracket = 93;
const openBrace = 123;
const closeBrace = 125;

/**
 * Reads the trace format of Mooncake (FAST'25): one JSON object per line,
 *
 *   {"timestamp": 27482, "input_length": 6955, "output_length": 52, "hash_ids": [46, 47, 48, …]}
 *
 * timestamp in ms, fractions allowed; lengths in tokens; hash_ids one per 512 tokens, or absent in the whole file where
 * no prefixes are known. Other keys are ignored. Requests may come out of order; they are sorted by timestamp.
 */
export async function readMooncake(
  name: string,
  chunks: AsyncIterable<Uint8Array>,
  options: { readonly limit?: number; readonly progress?: (bytesRead: number) => void } = {},
): Promise<Traffic> {
  const limit = options.limit ?? Number.POSITIVE_INFINITY;
  const builder = new TrafficBuilder(name, mooncakeBlockTokens);
  const scanner = new JsonScanner();
  let ids = new Float64Array(256);
  let firstTimestamp = 0;
  let prefixesKnown = false;

  await forEachLine(
    name,
    chunks,
    (bytes, start, end, number) => {
      const bad = (found: string, expected: string): never => {
        throw new InputError(`${name}:${number}: ${found}, expected ${expected}`);
      };
      const integer = (key: string, value: number, low: number, high: number): number =>
        Number.isInteger(value) && value >= low && value <= high
          ? value
          : bad(`${key} is ${value}`, `an integer ${low} to ${high}`);

      let timestamp = Number.NaN;
      let prompt = Number.NaN;
      let output = Number.NaN;
      let idCount = -1;
      // Of a file that may be no trace nothing is quoted: only where one of the keys of a trace was read.
      const seen: typeof shown = (...part) =>
        builder.requests > 0 ||
        idCount >= 0 ||
        [timestamp, prompt, output].some((value) => !Number.isNaN(value))
          ? shown(...part)
          : 'another kind of text';

      scanner.begin(bytes, start, end);
      const numberOf = (key: string, before: number): number => {
        if (!Number.isNaN(before)) bad(`${key} twice`, 'each key once');
        return scanner.number();
      };
      const hashIds = (): boolean => {
        if (idCount >= 0) bad('hash_ids twice', 'each key once');
        if (!scanner.take(91)) return false;
        idCount = 0;
        if (scanner.peek() === closeBracket) {
          scanner.at++;
          return true;
        }
        for (;;) {
          const id = scanner.number();
          if (scanner.failed !== undefined) return false;
          if (idCount >= ids.length) {
            const larger = new Float64Array(ids.length * 2);
            larger.set(ids);
            ids = larger;
          }
          ids[idCount++] = id;
          if (scanner.peek() === comma) scanner.at++;
          else return scanner.take(closeBracket);
        }
      };
      const object = (): boolean => {
        if (!scanner.take(openBrace)) return false;
        if (scanner.peek() === closeBrace) {
          scanner.at++;
          return true;
        }
        for (;;) {
          const key = scanner.string();
          if (key < 0) return false;
          const isTimestamp = scanner.wasString(key, 'timestamp');
          const isPrompt = scanner.wasString(key, 'input_length');
          const isOutput = scanner.wasString(key, 'output_length');
          const isIds = scanner.wasString(key, 'hash_ids');
          if (!scanner.take(58)) return false;
          if (isTimestamp) timestamp = numberOf('timestamp', timestamp);
          else if (isPrompt) prompt = numberOf('input_length', prompt);
          else if (isOutput) output = numberOf('output_length', output);
          else if (isIds) hashIds();
          else scanner.skip();
          if (scanner.failed !== undefined) return false;
          if (scanner.peek() === comma) scanner.at++;
          else return scanner.take(closeBrace);
        }
      };

      if (!object()) {
        const column = scanner.at - start + 1;
        bad(`${seen(bytes, scanner.at, end)} at column ${column}`, scanner.failed ?? 'JSON');
      }
      if (scanner.peek() !== -1)
        bad(`${seen(bytes, scanner.at, end)} after the object`, 'the end of the line');
      if (Number.isNaN(timestamp)) bad('no timestamp', 'a time in ms');
      if (!(timestamp >= 0 && timestamp <= Number.MAX_SAFE_INTEGER)) {
        bad(`timestamp is ${timestamp}`, 'a time in ms, 0 or more');
      }
      if (Number.isNaN(prompt)) bad('no input_length', 'a number of tokens');
      if (Number.isNaN(output)) bad('no output_length', 'a number of tokens');
      integer('input_length', prompt, 1, maxTokens);
      integer('output_length', output, 1, maxTokens);

      if (builder.requests === 0) {
        firstTimestamp = timestamp;
        prefixesKnown = idCount > 0;
      }
      if (prefixesKnown) {
        const blocks = Math.ceil(prompt / mooncakeBlockTokens);
        if (idCount < 0) bad('no hash_ids', `${blocks} of them, as in the lines before`);
        if (idCount !== blocks) {
          bad(
            `${idCount} hash_ids for input_length ${prompt}`,
            `${blocks}, one per ${mooncakeBlockTokens} tokens`,
          );
        }
        for (let i = 0; i < idCount; i++) {
          const id = ids[i] ?? -1;
          if (!(Number.isInteger(id) && id >= 0 && id <= Number.MAX_SAFE_INTEGER)) {
            bad(`hash id ${id}`, 'an integer from 0 to 2^53 − 1');
          }
          if (!builder.block(id)) bad(`hash id ${id} twice in one request`, 'each block of a prompt once');
        }
      } else if (idCount > 0) bad(`${idCount} hash_ids`, 'none, as in the lines before');
      // The difference in ms first: times since 1970 in ns would not be exact.
      builder.request(Math.round((timestamp - firstTimestamp) * 1e6), prompt, output);
      return builder.requests < limit;
    },
    options.progress,
  );
  if (builder.requests === 0)
    throw new InputError(`${name}:1: no request, expected one JSON object per line`);
  return builder.traffic();
}
