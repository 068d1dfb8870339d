import { expect, test } from 'vitest';
import { withAnswerChanges } from './answerChanges.ts';
import { findTarget } from './catalog.ts';

const passed = { status: 'passed', method: 'ids and lengths' } as const;
const verified = (id: string, ...variants: readonly [string, string]) => {
  const target = findTarget(id);
  if (target === undefined) throw new Error(id);
  const specs = variants.map((variant) =>
    target.spec({ variant, engine: 'sim', parameters: {}, seed: 0, iterations: 1 }),
  );
  return withAnswerChanges(passed, specs);
};

test.each([
  ['ch17:inference_full', 'optimized', /early exit: a share of the tokens differs/],
  ['ch15:speculative_decoding', 'optimized', /speculation: no answer differs if/],
  ['serving:kv_quantisation', 'optimized', /KV cache in 8 bits: how many answers differ is not modelled/],
] as const)('%s: ids and lengths do not verify its answers', (id, variant, says) => {
  const { status, method } = verified(id, 'baseline', variant);
  expect(status).toBe('not_applicable');
  expect(method).toMatch(says);
});

test('scheduling changes no answer', () => {
  expect(verified('ch17:prefill_decode_disagg', 'baseline', 'optimized')).toEqual(passed);
});
