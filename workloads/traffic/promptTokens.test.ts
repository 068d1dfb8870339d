import fc from 'fast-check';
import { expect, test } from 'vitest';
import { oneTokenWords, PromptTokens, promptText } from './promptTokens.ts';
import { TrafficBuilder } from './trafficBuilder.ts';

/** Prompts as lists of block ids of four tokens. */
function trafficOf(prompts: readonly (readonly number[])[], lengths: readonly number[]) {
  const builder = new TrafficBuilder('test', 4);
  prompts.forEach((blocks, r) => {
    for (const id of blocks) builder.block(id);
    builder.request(r, lengths[r] ?? 0, 1);
  });
  return builder.traffic();
}

test('equal blocks are equal tokens; what has no block is the request’s own', () => {
  const traffic = trafficOf(
    [
      [1, 2],
      [1, 3],
      [1, 2],
    ],
    [10, 8, 10],
  );
  const tokens = new PromptTokens(traffic, 50_000, 7);
  const [a, b, c] = [tokens.of(0), tokens.of(1), tokens.of(2)];
  expect(a.slice(0, 4)).toEqual(b.slice(0, 4));
  expect(a.slice(4, 8)).not.toEqual(b.slice(4, 8));
  expect(a.slice(0, 8)).toEqual(c.slice(0, 8));
  expect(a.slice(8)).not.toEqual(c.slice(8));
});

test('deterministic by seed, within any vocabulary, in any pieces', () => {
  const traffic = trafficOf([[5, 6, 7]], [14]);
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 300_000 }),
      fc.nat(),
      fc.integer({ min: 0, max: 14 }),
      (vocabulary, seed, cut) => {
        const tokens = new PromptTokens(traffic, vocabulary, seed);
        const whole = tokens.of(0);
        expect([...whole].every((token) => token >= 0 && token < vocabulary)).toBe(true);
        const pieces = new Int32Array(14);
        tokens.write(0, 0, cut, pieces, 0);
        tokens.write(0, cut, 14 - cut, pieces, cut);
        expect(pieces).toEqual(whole);
        expect(new PromptTokens(traffic, vocabulary, seed).of(0)).toEqual(whole);
      },
    ),
  );
  expect(new PromptTokens(traffic, 50_000, 1).of(0)).not.toEqual(new PromptTokens(traffic, 50_000, 2).of(0));
});

test('tokens are spread over the vocabulary', () => {
  const traffic = trafficOf([[]], [20_000]);
  const counts = new Array<number>(10).fill(0);
  for (const token of new PromptTokens(traffic, 1000, 3).of(0)) {
    const at = Math.floor(token / 100);
    counts[at] = (counts[at] ?? 0) + 1;
  }
  for (const count of counts) expect(Math.abs(count - 2000)).toBeLessThan(200);
});

test('text: one word per token, equal tokens are equal words', () => {
  expect(new Set(oneTokenWords).size).toBe(oneTokenWords.length);
  expect(promptText([0, 1, 0]).split(' ')).toEqual(['the', 'of', 'the']);
  expect(promptText([1, 2]).startsWith(promptText([1]))).toBe(true);
});
