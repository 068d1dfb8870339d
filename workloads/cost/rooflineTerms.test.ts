import { describe, expect, test } from 'vitest';
import { kernelsPerPass } from '../model/kernelCount.ts';
import { findModel } from '../model/models.ts';
import { elementwiseValues, type ModelShape } from '../model/shape.ts';
import { costSpec } from '../run/costSpec.ts';
import { IterationShape } from './costModel.ts';
import { RooflineCost } from './rooflineCost.ts';

const shapeOf = (id: string): ModelShape => {
  const model = findModel(id);
  if (model === undefined) throw new Error(id);
  return model;
};

const costOf = (model: ModelShape, terms: object): RooflineCost => {
  const spec = costSpec.parse({
    kind: 'roofline',
    gpu: 'h100-sxm',
    compute_efficiency: 0.5,
    memory_efficiency: 0.8,
    iteration_overhead_us: 0,
    ...terms,
  });
  if (spec.kind !== 'roofline') throw new Error('a roofline');
  return new RooflineCost(spec, model);
};

const prompt = (tokens: number): IterationShape => {
  const shape = new IterationShape();
  shape.prefillTokens = tokens;
  shape.prefillPairs = (tokens * (tokens + 1)) / 2;
  shape.prefillContextTokens = tokens;
  shape.prefillSequences = 1;
  shape.prefillEnds = 1;
  shape.decodeContextTokens = 0;
  return shape;
};

describe('traffic between the matrices', () => {
  test('of Llama 3.1 8B by hand: 8 hidden widths, rotary embedding, three gate widths, in each layer', () => {
    expect(elementwiseValues(shapeOf('llama-3.1-8b'))).toEqual({
      wholeValues: 32 * 8 * 4096,
      dividedValues: 32 * 2 * (32 + 8) * 128 + 3 * 32 * 14336,
    });
  });

  test('adds its bytes over the bandwidth; norms are not divided over a group', () => {
    const model = shapeOf('llama-3.1-8b');
    const { wholeValues, dividedValues } = elementwiseValues(model);
    for (const tensor_parallel of [1, 4]) {
      const added =
        costOf(model, { tensor_parallel, activation_traffic: true }).iterationNs(prompt(4096)) -
        costOf(model, { tensor_parallel }).iterationNs(prompt(4096));
      const bytes = 4096 * 2 * (wholeValues + dividedValues / tensor_parallel);
      expect(added / ((bytes / (3.35e12 * 0.8)) * 1e9)).toBeCloseTo(1, 2);
    }
  });

  test('decoding alone stays a straight line, and the line has it', () => {
    const cost = costOf(shapeOf('llama-3.1-8b'), { activation_traffic: true });
    const shape = new IterationShape();
    shape.decodeSequences = 48;
    shape.decodeContextTokens = 48 * 900;
    const line = { baseNs: 0, perContextTokenNs: 0 };
    cost.decodeLine(48, line);
    expect(Math.round(line.baseNs + line.perContextTokenNs * 48 * 900)).toBe(cost.iterationNs(shape));
  });
});

describe('grouped experts', () => {
  test('at half the efficiency of the others their matrices take twice the time', () => {
    const model = shapeOf('mixtral-8x7b');
    const long = prompt(16_384);
    const slow = costOf(model, { expert_efficiency: 0.25 }).iterationNs(long);
    const same = costOf(model, { expert_efficiency: 0.5 }).iterationNs(long);
    expect(same).toBe(costOf(model, {}).iterationNs(long));
    // Two of eight experts of three matrices, 32 layers, two FLOPs per weight.
    const flops = 16_384 * 2 * 32 * 2 * 3 * 4096 * 14336;
    expect((slow - same) / ((flops / (989.4e12 * 0.5)) * 1e9)).toBeCloseTo(1, 2);
  });

  test('a dense model has none', () => {
    const model = shapeOf('llama-3.1-8b');
    expect(costOf(model, { expert_efficiency: 0.1 }).iterationNs(prompt(512))).toBe(
      costOf(model, {}).iterationNs(prompt(512)),
    );
  });
});

describe('kernels', () => {
  test('of Llama 3.1 8B: 11 in each of 32 layers; each adds its time to every pass', () => {
    expect(kernelsPerPass(shapeOf('llama-3.1-8b'))).toBe(352);
    const bare = costOf(shapeOf('llama-3.1-8b'), {}).iterationNs(prompt(512));
    expect(costOf(shapeOf('llama-3.1-8b'), { kernel_us: 3 }).iterationNs(prompt(512)) - bare).toBe(
      352 * 3000,
    );
  });

  test('a layer of experts has more than a dense one', () => {
    const dense = shapeOf('qwen3-32b');
    const sparse = shapeOf('qwen3-235b-a22b');
    expect(kernelsPerPass(sparse) / sparse.layers).toBeGreaterThan(
      1.5 * (kernelsPerPass(dense) / dense.layers),
    );
  });
});

test('experts fill tiles in part: few tokens each cost arithmetic, many hardly any more', () => {
  const model = shapeOf('mixtral-8x7b');
  const ratio = (tokens: number): number =>
    costOf(model, { expert_tile: 128 }).iterationNs(prompt(tokens)) /
    costOf(model, { expert_tile: 1 }).iterationNs(prompt(tokens));
  expect(ratio(1024)).toBeGreaterThan(1.1);
  expect(ratio(16_384)).toBeLessThan(1.03);
});

describe('latent attention', () => {
  const model = shapeOf('deepseek-v3');
  const decoding = (tp: number, context: number): number => {
    const shape = new IterationShape();
    shape.prefillTokens = 0;
    shape.prefillPairs = 0;
    shape.prefillContextTokens = 0;
    shape.decodeSequences = 8;
    shape.decodeContextTokens = context;
    return costOf(model, { tensor_parallel: tp }).iterationNs(shape);
  };

  test('every GPU of a group reads the whole cache: more GPUs do not read a context faster', () => {
    const two = decoding(2, 800_000) - decoding(2, 0);
    const eight = decoding(8, 800_000) - decoding(8, 0);
    expect(eight / two).toBeGreaterThan(0.99);
  });
});
