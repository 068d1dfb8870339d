import { expect, test } from 'vitest';
import { findModel } from '../model/models.ts';
import type { ModelShape } from '../model/shape.ts';
import { causalPairs } from '../model/windowed.ts';
import { IterationShape } from './costModel.ts';
import { RooflineCost } from './rooflineCost.ts';

const spec = {
  kind: 'roofline' as const,
  gpu: 'h200',
  tensor_parallel: 1,
  compute_efficiency: 0.5,
  memory_efficiency: 0.5,
  iteration_overhead_us: 0,
};
const shape = (id: string): ModelShape => {
  const found = findModel(id);
  if (found === undefined) throw new Error(id);
  return found;
};
const decode = (sequences: number, context: number): IterationShape =>
  Object.assign(new IterationShape(), {
    prefillTokens: 0,
    prefillPairs: 0,
    prefillContextTokens: 0,
    decodeSequences: sequences,
    decodeContextTokens: sequences * context,
    decodeLongestTokens: context,
  });
const prompt = (tokens: number, cached: number): IterationShape =>
  Object.assign(new IterationShape(), {
    prefillTokens: tokens,
    prefillPairs: causalPairs(tokens, cached),
    prefillContextTokens: tokens + cached,
    prefillSequences: 1,
    prefillEnds: 1,
    decodeContextTokens: 0,
    decodeLongestTokens: 0,
  });

test('window layers add time to decoding up to their window only', () => {
  const model = shape('gemma-3-27b');
  const windowed = new RooflineCost(spec, model);
  const whole = new RooflineCost(spec, { ...model, windows: undefined });
  expect(windowed.iterationNs(decode(4, 1000))).toBe(whole.iterationNs(decode(4, 1000)));
  const more = windowed.iterationNs(decode(4, 9000)) - windowed.iterationNs(decode(4, 8000));
  const all = whole.iterationNs(decode(4, 9000)) - whole.iterationNs(decode(4, 8000));
  // 10 of 62 layers see everything.
  expect(more / all).toBeCloseTo(10 / 62, 3);
});

test('a run of decode passes is no straight line where windows bend it', () => {
  const line = { baseNs: 0, perContextTokenNs: 0 };
  expect(new RooflineCost(spec, shape('gpt-oss-20b')).decodeLine(3, line)).toBe(false);
  expect(new RooflineCost(spec, shape('llama-3.1-8b')).decodeLine(3, line)).toBe(true);
});

test('work of a prompt counts the pairs that each layer has', () => {
  const model = shape('gpt-oss-120b');
  const windowed = new RooflineCost(spec, model);
  const whole = new RooflineCost(spec, { ...model, windows: undefined });
  const [a, b] = [
    { flops: 0, bytes: 0 },
    { flops: 0, bytes: 0 },
  ];
  windowed.work(prompt(2048, 1000), a);
  whole.work(prompt(2048, 1000), b);
  const perLayerPair = 4 * 64 * 64;
  expect(b.flops - a.flops).toBeCloseTo(
    18 * perLayerPair * (causalPairs(2048, 1000) - causalPairs(2048, 1000, 128)),
    -3,
  );
});

test('gpt-oss runs on an A100: its products are BF16', () => {
  expect(new RooflineCost({ ...spec, gpu: 'a100-80gb-sxm' }, shape('gpt-oss-20b')).peaks.flopPerSec).toBe(
    312e12,
  );
  expect(() => new RooflineCost({ ...spec, gpu: 'a100-80gb-sxm' }, shape('deepseek-v3'))).toThrow(
    'needs FP8',
  );
});

test('states of linear layers are read and written once per sequence', () => {
  const model = shape('qwen3-next-80b-a3b');
  const [one, two] = [
    new RooflineCost(spec, model),
    new RooflineCost(spec, {
      ...model,
      linear: { layers: 36, weights: model.linear?.weights ?? 0, stateValues: 0 },
    }),
  ];
  const work = { flops: 0, bytes: 0 };
  one.work(decode(5, 100), work);
  const withStates = work.bytes;
  two.work(decode(5, 100), work);
  expect(withStates - work.bytes).toBe(5 * 2 * 36 * 32 * 128 * 128 * 4);
});
