import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { TransformerFamily, TransformerShape } from '../device.ts';
import { randomWeight, roundToBf16, weightKey } from '../randomWeights.ts';
import { expectedTensors, matrixScale } from '../tensorNames.ts';
import { ReferenceCache, ReferenceTransformer } from './forward.ts';
import { randomReferenceWeights } from './referenceWeights.ts';
import { rotaryFrequencies } from './rope.ts';

const dense: TransformerShape = {
  family: 'llama',
  layers: 2,
  hidden: 32,
  heads: 4,
  kvHeads: 2,
  headDim: 8,
  ffn: 48,
  vocab: 64,
  maxPositions: 128,
  normEps: 1e-5,
  rope: { theta: 10_000 },
  qkNorm: false,
  tiedEmbeddings: false,
};
const shapes: Readonly<Record<TransformerFamily, TransformerShape>> = {
  llama: dense,
  qwen3: { ...dense, family: 'qwen3', qkNorm: true, tiedEmbeddings: true },
  mixtral: { ...dense, family: 'mixtral', experts: { count: 4, topK: 2, ffn: 24, normTopK: true } },
  qwen3_moe: {
    ...dense,
    family: 'qwen3_moe',
    qkNorm: true,
    experts: { count: 8, topK: 3, ffn: 16, normTopK: false, sharedFfn: 16 },
  },
};
const transformer = (family: TransformerFamily): ReferenceTransformer =>
  new ReferenceTransformer(shapes[family], randomReferenceWeights(shapes[family], 7));

describe.each(Object.keys(shapes) as TransformerFamily[])('%s', (family) => {
  const model = transformer(family);
  const prompt = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5];

  test('a prompt in chunks gives the same logits as in one piece', () => {
    const whole = model.forward(prompt, new ReferenceCache(2));
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 3, maxLength: 12 }), (sizes) => {
        const cache = new ReferenceCache(2);
        const parts: Float64Array[] = [];
        for (let at = 0, i = 0; at < prompt.length; i++) {
          const size = sizes[i % sizes.length] ?? 1;
          parts.push(...model.forward(prompt.slice(at, at + size), cache));
          at += size;
        }
        expect(parts).toEqual(whole);
      }),
      { numRuns: 10 },
    );
  });

  test('a token changes nothing before it, and something after it', () => {
    const a = model.forward(prompt, new ReferenceCache(2));
    const b = model.forward(prompt.with(6, 60), new ReferenceCache(2));
    expect(b.slice(0, 6)).toEqual(a.slice(0, 6));
    expect(b[7]).not.toEqual(a[7]);
  });

  test('a kept prefix is as good as a computed one', () => {
    const cache = new ReferenceCache(2);
    const whole = model.forward(prompt, cache);
    expect(model.forward(prompt.slice(8), cache.prefix(8))).toEqual(whole.slice(8));
  });

  test('greedy decoding repeats itself', () => {
    const tokens = model.greedy(prompt, 6);
    expect(tokens).toHaveLength(6);
    expect(model.greedy([...prompt, ...tokens.slice(0, 3)], 3)).toEqual(tokens.slice(3));
  });
});

test('random weights: BF16 values around their centre, with a root mean square of 0.02', () => {
  const key = weightKey(1, 'model.layers.0.mlp.up_proj.weight');
  const values = Array.from({ length: 20_000 }, (_, i) => randomWeight(key, i, 0, matrixScale));
  expect(values.every((value) => roundToBf16(value) === value && Math.abs(value) <= 0.0347)).toBe(true);
  const rms = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);
  expect(rms).toBeGreaterThan(0.0197);
  expect(rms).toBeLessThan(0.0203);
  expect(Math.abs(values.reduce((sum, value) => sum + value, 0) / values.length)).toBeLessThan(0.0005);
  expect(weightKey(2, 'a')).not.toBe(weightKey(1, 'a'));
  expect(randomWeight(key, 5, 1, 0.125)).toBeGreaterThan(0.87);
});

// The same figures stand in the test of `native/transformer/random_weights.cpp`, so that neither side can drift alone.
test('random weights: the values that the device draws', () => {
  const key = weightKey(7, 'model.embed_tokens.weight');
  expect(key).toMatchInlineSnapshot(`410004618`);
  expect(
    [0, 1, 2, 1_000_000, 4_000_000_000].map((i) => randomWeight(key, i, 0, matrixScale)),
  ).toMatchInlineSnapshot(`
    [
      -0.015625,
      0.01239013671875,
      0.017578125,
      0.004302978515625,
      0.0022430419921875,
    ]
  `);
});

test('each tensor of a model by its name', () => {
  const names = expectedTensors(shapes.mixtral).map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  expect(names).toContain('model.layers.1.block_sparse_moe.experts.3.w2.weight');
  expect(expectedTensors(shapes.qwen3).map(({ name }) => name)).not.toContain('lm_head.weight');
  expect(expectedTensors(shapes.qwen3).map(({ name }) => name)).toContain(
    'model.layers.0.self_attn.q_norm.weight',
  );
});

test('rotary frequencies: Llama 3.1 slows waves longer than 8,192 positions eightfold and leaves short ones', () => {
  const scaling = {
    kind: 'llama3' as const,
    factor: 8,
    lowFreqFactor: 1,
    highFreqFactor: 4,
    originalMaxPositions: 8192,
  };
  const plain = rotaryFrequencies({ headDim: 128, rope: { theta: 500_000 } }).frequencies;
  const scaled = rotaryFrequencies({ headDim: 128, rope: { theta: 500_000, scaling } }).frequencies;
  expect(scaled[0]).toBe(plain[0]);
  expect((plain[63] ?? 0) / (scaled[63] ?? 1)).toBeCloseTo(8, 9);
  const between = scaled.findIndex((f, i) => f !== plain[i]);
  expect((plain[between] ?? 0) / (scaled[between] ?? 1)).toBeGreaterThan(1);
  expect((plain[between] ?? Number.NaN) / (scaled[between] ?? Number.NaN)).toBeLessThan(8);
});
