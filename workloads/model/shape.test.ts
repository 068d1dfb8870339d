import { expect, test } from 'vitest';
import { findGpu, gpus } from '../hardware/gpus.ts';
import { findModel, models } from './models.ts';
import { activeParameters, kvBlocksThatFit, kvBytesPerToken, parameters, weightBytes } from './shape.ts';

const model = (id: string) => {
  const found = findModel(id);
  if (found === undefined) throw new Error(id);
  return found;
};

test('parameters come out as the models are named', () => {
  const billions: readonly [string, number, number][] = [
    ['llama-3.2-1b', 1.24, 1.24],
    ['llama-3.1-8b', 8.03, 7.5],
    ['llama-3.1-70b', 70.6, 69.5],
    ['qwen3-8b', 8.19, 7.57],
    ['qwen3-32b', 32.8, 32],
    ['mixtral-8x7b', 46.7, 12.8],
    ['qwen3-30b-a3b', 30.5, 3],
    ['qwen3-235b-a22b', 235, 21.8],
    ['minimax-m2', 229, 10.4],
    ['gpt-oss-20b', 20.9, 3.6],
    ['gpt-oss-120b', 116.8, 5.13],
    ['deepseek-v3', 671, 37],
  ];
  for (const [id, total, active] of billions) {
    expect(parameters(model(id)) / 1e9 / total, id).toBeGreaterThan(0.99);
    expect(parameters(model(id)) / 1e9 / total, id).toBeLessThan(1.01);
    expect(activeParameters(model(id)) / 1e9 / active, id).toBeGreaterThan(0.95);
    expect(activeParameters(model(id)) / 1e9 / active, id).toBeLessThan(1.05);
  }
});

test('KV bytes per token', () => {
  expect(kvBytesPerToken(model('llama-3.1-8b'))).toBe(131072);
  // Mooncake, Eq. 2: 327,680 B for LLaMA3-70B.
  expect(kvBytesPerToken(model('llama-3.1-70b'))).toBe(327680);
  expect(kvBytesPerToken(model('deepseek-v3'))).toBe(61 * 576 * 2);
});

test('what fits: about 890,000 tokens of Llama 3.1 8B beside its weights on an H200', () => {
  const gpu = findGpu('h200');
  const blocks = kvBlocksThatFit(model('llama-3.1-8b'), gpu?.memoryBytes ?? 0, 1, 16);
  expect(blocks * 16).toBeGreaterThan(870_000);
  expect(blocks * 16).toBeLessThan(910_000);
  expect(kvBlocksThatFit(model('llama-3.1-70b'), gpu?.memoryBytes ?? 0, 1, 16)).toBe(0);
  expect(weightBytes(model('llama-3.1-70b-fp8')) / 1e9).toBeCloseTo(70.6, 0);
});

test('data sheets: ids once, dense peaks in order of precision, memory within the box’s number', () => {
  expect(new Set(gpus.map((g) => g.id)).size).toBe(gpus.length);
  expect(new Set(models.map((m) => m.id)).size).toBe(models.length);
  for (const gpu of gpus) {
    const { fp32, tf32, bf16, fp8 } = gpu.peak;
    expect(tf32, gpu.id).toBeGreaterThanOrEqual(fp32);
    expect(bf16 / tf32, gpu.id).toBeGreaterThan(1.9);
    if (fp8 !== undefined) expect(fp8 / bf16, gpu.id).toBeCloseTo(2, 1);
    expect(gpu.memoryBytes / 1e9).toBeGreaterThan(20);
  }
});
