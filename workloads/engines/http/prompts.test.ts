import { expect, it } from 'vitest';
import { absentInt32 } from '../../run/tables.ts';
import type { Traffic } from '../../traffic/traffic.ts';
import { blockPrompt, idRangeOf, promptIds, promptText } from './prompts.ts';

/** Requests as [prompt tokens, block ids…], blocks of 4 tokens. */
function traffic(...requests: readonly (readonly [tokens: number, ...blocks: number[]])[]): Traffic {
  const blocks = requests.map(([, ...ids]) => ids);
  const offsets = [0];
  for (const ids of blocks) offsets.push((offsets.at(-1) ?? 0) + ids.length);
  const n = requests.length;
  return {
    name: 'test',
    requests: n,
    arrivalNs: new Float64Array(n),
    promptTokens: Int32Array.from(requests, ([tokens]) => tokens),
    outputTokens: new Int32Array(n).fill(1),
    priority: new Uint8Array(n),
    session: new Int32Array(n).fill(absentInt32),
    blockTokens: 4,
    blockOffsets: Int32Array.from(offsets),
    blockIds: Int32Array.from(blocks.flat()),
    uniqueBlocks: 10,
  };
}

const range = idRangeOf(512);
const shared = (a: Uint32Array, b: Uint32Array): number => {
  let same = 0;
  while (same < a.length && a[same] === b[same]) same++;
  return same;
};

it('equal blocks are equal ids, and the rest is the request’s own', () => {
  const three = traffic([10, 7, 8], [12, 7, 9, 8], [10, 7, 8]);
  const [a, b, c] = [0, 1, 2].map((r) => promptIds(three, r, 5, range));
  if (a === undefined || b === undefined || c === undefined) throw new Error('three prompts');
  expect([a.length, b.length, c.length]).toEqual([10, 12, 10]);
  // 7 is shared; 9 begins otherwise.
  expect(shared(a, b)).toBe(4);
  // 7 and 8 are shared, the two tokens behind them are not.
  expect(shared(a, c)).toBe(8);
  for (const id of b) expect(id >= range.low && id < range.high).toBe(true);
});

it('whole blocks alone are the same ids as in a prompt', () => {
  const one = traffic([12, 7, 9, 8]);
  const ids = Int32Array.from([7, 9, 8]);
  expect(blockPrompt(ids, 0, 3, 4, 5, range)).toEqual(promptIds(one, 0, 5, range));
});

it('another salt shares nothing, so a warm cache of an earlier run is no help', () => {
  const one = traffic([64, 1, 2, 3]);
  expect(shared(promptIds(one, 0, 5, range), promptIds(one, 0, 6, range))).toBeLessThan(3);
});

it('text has a word per token and the same prefixes', () => {
  const two = traffic([8, 7, 8], [8, 7, 9]);
  const [a, b] = [promptText(two, 0, 5).split(' '), promptText(two, 1, 5).split(' ')];
  expect([a.length, b.length]).toEqual([8, 8]);
  expect(a.slice(0, 4)).toEqual(b.slice(0, 4));
  expect(a).not.toEqual(b);
});
