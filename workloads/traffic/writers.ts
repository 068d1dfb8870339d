import { InputError } from '../run/inputError.ts';
import type { Traffic } from './traffic.ts';

/** Mooncake's block: one hash id per 512 tokens of the prompt, the last one partial. */
export const mooncakeBlockTokens = 512;
const azureHeader = 'TIMESTAMP,ContextTokens,GeneratedTokens';

/** Characters per piece: large enough to write to a file in few calls. */
const pieceLength = 65536;

/**
 * Mooncake's JSONL, in pieces of text; times in ms, with up to six decimals where a request does not arrive on a whole ms.
 * Times with decimals could be taken for seconds, and many requests in few ms for a wrong unit: the first row of such a trace
 * names its unit (`time_unit`).
 * Its format has blocks of 512 tokens: traffic with other blocks is refused rather than written with wrong prefixes.
 */
export function* writeMooncake(traffic: Traffic): Generator<string> {
  if (traffic.blockTokens !== 0 && traffic.blockTokens !== mooncakeBlockTokens) {
    throw new InputError(
      `${traffic.name}: blocks of ${traffic.blockTokens} tokens, expected ${mooncakeBlockTokens} for the Mooncake format`,
    );
  }
  const spanNs = (traffic.arrivalNs.at(-1) ?? 0) - (traffic.arrivalNs[0] ?? 0);
  const isDoubtful = traffic.arrivalNs.some((ns) => ns % 1e6 !== 0) || traffic.requests * 1e6 > spanNs;
  let piece = '';
  for (let r = 0; r < traffic.requests; r++) {
    const unit = isDoubtful && r === 0 ? ', "time_unit": "ms"' : '';
    const ids = traffic.blockIds.subarray(traffic.blockOffsets[r], traffic.blockOffsets[r + 1]);
    const prefixes = traffic.blockTokens === 0 ? '' : `, "hash_ids": [${ids.join(', ')}]`;
    piece += `{"timestamp": ${milliseconds(traffic.arrivalNs[r] ?? 0)}${unit}, "input_length": ${traffic.promptTokens[r]}, "output_length": ${traffic.outputTokens[r]}${prefixes}}\n`;
    if (piece.length >= pieceLength) {
      yield piece;
      piece = '';
    }
  }
  if (piece !== '') yield piece;
}

/** ns as ms in decimal, exactly: 1500000 -> 1.5. */
function milliseconds(ns: number): string {
  const whole = Math.floor(ns / 1e6);
  const rest = ns - whole * 1e6;
  return rest === 0 ? `${whole}` : `${whole}.${String(rest).padStart(6, '0').replace(/0+$/, '')}`;
}

/** Day on which written traces begin, unless told otherwise: the formats know absolute times, traffic does not. */
const epochDay = '1970-01-01';
const nsPerDay = 86400e9;

/** Azure's CSV, in pieces of text; times with seven decimals (100 ns). Prefixes, priorities and sessions are lost. */
export function* writeAzure(traffic: Traffic): Generator<string> {
  let piece = `${azureHeader}\n`;
  let day = -1;
  let date = epochDay;
  for (let r = 0; r < traffic.requests; r++) {
    const ns = Math.round((traffic.arrivalNs[r] ?? 0) / 100) * 100;
    const today = Math.floor(ns / nsPerDay);
    if (today !== day) {
      day = today;
      date = dateOfDay(day);
    }
    piece += `${date} ${timeOfDay(ns - day * nsPerDay)},${traffic.promptTokens[r]},${traffic.outputTokens[r]}\n`;
    if (piece.length >= pieceLength) {
      yield piece;
      piece = '';
    }
  }
  yield piece;
}

function timeOfDay(ns: number): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  const seconds = Math.floor(ns / 1e9);
  const decimals = String(Math.round((ns - seconds * 1e9) / 100)).padStart(7, '0');
  return `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}.${decimals}`;
}

/** Date of a day after 1970-01-01 (a run lasts at most 104 days, so it stays in 1970). */
function dateOfDay(day: number): string {
  const lengths = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
  let left = day;
  let month = 0;
  while (left >= (lengths[month] ?? 31)) left -= lengths[month++] ?? 31;
  return `1970-${String(month + 1).padStart(2, '0')}-${String(left + 1).padStart(2, '0')}`;
}
