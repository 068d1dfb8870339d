import { expect, test } from 'vitest';
import { IterationShape } from '../cost/costModel.ts';
import { RooflineCost } from '../cost/rooflineCost.ts';
import { checkSpec } from '../engines/sim/checkSpec.ts';
import { tinyTraffic } from '../engines/sim/tinyRun.ts';
import { draftMemory } from '../model/draft.ts';
import { findModel } from '../model/models.ts';
import { kvValueBytes } from '../run/techniqueSpec.ts';
import { findTarget } from './catalog.ts';

const specOf = (
  target: string,
  variant: string,
  parameters: Record<string, number | string | boolean> = {},
) => {
  const found = findTarget(target);
  if (found === undefined) throw new Error(target);
  return found.spec({ variant, engine: 'sim', parameters, seed: 0, iterations: 1 });
};

const decodeMs = (spec: ReturnType<typeof specOf>, sequences: number, context: number): number => {
  const first = spec.cluster.instances[0];
  const cost = first?.serves === 'modelled' ? first.cost : undefined;
  if (cost?.kind !== 'roofline') throw new Error('a roofline');
  const shape = new IterationShape();
  shape.prefillContextTokens = 0;
  shape.prefillPairs = 0;
  shape.decodeSequences = sequences;
  shape.decodeContextTokens = sequences * context;
  return (
    RooflineCost.forModel(cost, spec.cluster.model, spec.cluster.kv.quantisation).iterationNs(shape) / 1e6
  );
};

test('bytes of a value: bits, and its share of the scale', () => {
  expect(kvValueBytes({ bits: 8, group: 0, scale_bytes: 4, dequantise_ops: 1 })).toBe(1);
  expect(kvValueBytes({ bits: 4, group: 128, scale_bytes: 4, dequantise_ops: 2 })).toBe(0.53125);
});

test('half the bytes are twice the blocks, and halve what a long context adds to a pass', () => {
  const id = 'serving:kv_quantisation';
  const blocks = (variant: string) => specOf(id, variant).cluster.instances[0]?.kv_blocks ?? 0;
  expect(Math.abs(blocks('optimized') - 2 * blocks('baseline'))).toBeLessThanOrEqual(1);
  const added = (variant: string) =>
    decodeMs(specOf(id, variant), 64, 8000) - decodeMs(specOf(id, variant), 64, 0);
  expect(added('optimized') / added('baseline')).toBeCloseTo(0.5, 3);
  expect(specOf(id, 'baseline').cluster.kv.quantisation).toBeUndefined();
});

test('QServe’s kernels, in direction and size: plain INT4 loses to 8 bits on an A100 and wins on an L40S', () => {
  const id = 'serving:kv_quantisation';
  const added = (variant: string, gpu: string) =>
    decodeMs(specOf(id, variant, { gpu }), 64, 8000) - decodeMs(specOf(id, variant, { gpu }), 64, 0);
  const against8 = (variant: string, gpu: string) => added('optimized', gpu) / added(variant, gpu);
  expect(against8('int4_naive', 'a100-80gb-sxm')).toBeLessThan(1);
  expect(against8('int4_naive', 'l40s')).toBeGreaterThan(1.5);
  expect(against8('int4', 'a100-80gb-sxm')).toBeGreaterThan(1.4);
});

test('a draft takes memory: weights and KV of a model, a layer of a head, nothing of n-grams', () => {
  const target = findModel('llama-3.1-8b');
  if (target === undefined) throw new Error('llama-3.1-8b');
  expect(draftMemory({ kind: 'lookup', overhead_us: 0 }, target)).toEqual({ weights: 0, kvPerToken: 0 });
  // One layer of the 8B: 218,103,808 weights of 2 bytes, and 4,096 B of KV per token.
  expect(draftMemory({ kind: 'head', layers: 1, overhead_us: 0 }, target)).toEqual({
    weights: 436_207_616,
    kvPerToken: 4096,
  });
  const id = 'ch15:speculative_decoding';
  const blocks = (variant: string) => specOf(id, variant).cluster.instances[0]?.kv_blocks ?? 0;
  expect(blocks('fixed')).toBeLessThan(blocks('baseline'));
});

test('what cannot be is said before the run', () => {
  const traffic = tinyTraffic([{ at: 0, prompt: 1, output: 1 }]);
  const crowded = specOf('ch15:speculative_decoding', 'fixed', {
    max_batched_tokens: 1024,
    max_sequences: 256,
  });
  expect(() => checkSpec(crowded, traffic)).toThrow(
    'cluster.technique.length: 4 drafted tokens and one more for 256 sequences are 1280 tokens, expected at most max_batched_tokens 1024',
  );
  const rates = structuredClone(specOf('ch15:guided_decoding', 'baseline'));
  const [instance] = rates.cluster.instances;
  if (instance?.serves === 'modelled') {
    instance.cost = {
      kind: 'rates',
      prefill_tokens_per_s: 1,
      decode_tokens_per_s: 1,
      iteration_overhead_us: 0,
    };
  }
  expect(() => checkSpec(rates, traffic)).toThrow('whose cost is of kind rates; expected a plain roofline');
});
