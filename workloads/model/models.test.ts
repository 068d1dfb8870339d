import { expect, test } from 'vitest';
import { findModel, models } from './models.ts';
import { activeParameters, kvBytesPerToken, parameterCount } from './shape.ts';
import { kvBytesAt } from './windowed.ts';

const model = (id: string) => {
  const found = findModel(id);
  if (found === undefined) throw new Error(id);
  return found;
};

// Exact counts: `model.safetensors.index.json` or the model card's "Safetensors" box on huggingface.co of the repository named by the
// shape's source, for text-only checkpoints without extra prediction layers.
const exact: readonly [string, number][] = [
  ['llama-3.2-1b', 1_235_814_400],
  ['llama-3.2-3b', 3_212_749_824],
  ['llama-3.1-8b', 8_030_261_248],
  ['llama-3.1-70b', 70_553_706_496],
  ['llama-3.1-405b', 405_853_388_800],
  ['qwen3-0.6b', 596_049_920],
  ['qwen3-1.7b', 1_720_574_976],
  ['qwen3-4b', 4_022_468_096],
  ['qwen3-8b', 8_190_735_360],
  ['qwen3-14b', 14_768_307_200],
  ['qwen3-32b', 32_762_123_264],
  ['qwen3-30b-a3b', 30_532_122_624],
  ['qwen3-235b-a22b', 235_093_634_560],
  ['mistral-7b', 7_248_023_552],
  ['mistral-nemo-12b', 12_247_782_400],
  ['mistral-small-24b', 23_572_403_200],
  ['mixtral-8x7b', 46_702_792_704],
  ['gemma-3-1b', 999_885_952],
  ['gpt-oss-20b', 20_914_757_184],
  ['gpt-oss-120b', 116_829_156_672],
];

// Billions, as papers and model cards print them: total, then what works on one token.
const rounded: readonly [string, number, number, string][] = [
  [
    'qwen3-next-80b-a3b',
    80,
    3.9,
    'Qwen3-Next blog and card: 80B total; 3B activated is 3.9B with attention and lm_head',
  ],
  ['llama-4-scout', 109, 17, 'Llama 4 card: 17B activated, 109B total with the vision encoder (0.9B)'],
  ['llama-4-maverick', 400, 17, 'Llama 4 card: 17B activated, 400B total'],
  ['gemma-3-4b', 3.88, 3.88, 'Gemma 3 report (arXiv 2503.19786), table 1: 675M + 3,209M'],
  ['gemma-3-12b', 11.78, 11.78, 'Gemma 3 report, table 1: 1,012M + 10,759M'],
  ['gemma-3-27b', 27.02, 27.02, 'Gemma 3 report, table 1: 1,416M + 25,600M'],
  ['mixtral-8x22b', 141, 39, 'Mixtral 8x22B announcement: 141B, 39B active'],
  ['gpt-oss-20b', 20.9, 3.6, 'gpt-oss card (arXiv 2508.10925), table 1: 20.9B, 3.6B active'],
  ['gpt-oss-120b', 116.8, 5.1, 'gpt-oss card, table 1: 116.8B, 5.1B active'],
  ['deepseek-v3', 671, 37, 'DeepSeek-V3 (arXiv 2412.19437): 671B, 37B activated'],
  ['deepseek-r1', 671, 37, 'DeepSeek-R1 (arXiv 2501.12948): as V3'],
  ['kimi-k2', 1026, 32, 'Kimi K2 (arXiv 2507.20534): 1.04T (1.026T without embeddings counted twice), 32B'],
  ['glm-4.5', 355, 32, 'GLM-4.5 (arXiv 2508.06471): 355B, 32B'],
  ['glm-4.5-air', 106, 12, 'GLM-4.5 (arXiv 2508.06471): 106B, 12B'],
  ['minimax-m2', 229, 10, 'MiniMax-M2 card: 230B, 10B activated'],
  ['qwen3-30b-a3b', 30.5, 3.3, 'Qwen3 card: 30.5B, 3.3B activated'],
  ['qwen3-235b-a22b', 235, 22, 'Qwen3 card: 235B, 22B activated'],
];

// "Insights into DeepSeek-V3" (arXiv 2505.09343), table 1, and Mooncake (arXiv 2407.00079), equation 2; the others follow from
// 2 × layers × KV heads × head width × 2 B.
const kvBytes: readonly [string, number][] = [
  ['deepseek-v3', 70_272],
  ['llama-3.1-405b', 516_096],
  ['llama-3.1-70b', 327_680],
  ['llama-3.1-8b', 131_072],
  ['qwen3-8b', 147_456],
  ['qwen3-32b', 262_144],
  ['qwen3-30b-a3b', 98_304],
  ['qwen3-235b-a22b', 192_512],
  ['qwen3-next-80b-a3b', 24_576],
  ['llama-4-scout', 196_608],
  ['gemma-3-27b', 507_904],
  ['gpt-oss-120b', 73_728],
  ['mixtral-8x7b', 131_072],
  ['mistral-small-24b', 163_840],
  ['glm-4.5', 376_832],
  ['kimi-k2', 70_272],
  ['minimax-m2', 253_952],
];

test.each(exact)('%s has as many parameters as its checkpoint', (id, count) => {
  expect(parameterCount(model(id))).toBe(count);
});

test.each(rounded)('%s: %d B parameters, %d B of them work on a token', (id, total, active, source) => {
  expect(parameterCount(model(id)) / 1e9 / total, source).toBeGreaterThan(0.985);
  expect(parameterCount(model(id)) / 1e9 / total, source).toBeLessThan(1.015);
  expect(activeParameters(model(id)) / 1e9 / active, source).toBeGreaterThan(0.9);
  expect(activeParameters(model(id)) / 1e9 / active, source).toBeLessThan(1.1);
});

test.each(kvBytes)('%s keeps %d B of KV per token', (id, bytes) => {
  expect(kvBytesPerToken(model(id))).toBe(bytes);
});

test('windows and states: KV of a sequence grows by the layers that see everything', () => {
  // Gemma 3 27B at 131,072 tokens: 10 layers whole, 52 keep 1,024 tokens; 8,192 B per layer and token.
  expect(kvBytesAt(model('gemma-3-27b'), 131_072)).toBeCloseTo(8192 * (10 * 131_072 + 52 * 1024), -3);
  expect(kvBytesAt(model('gpt-oss-120b'), 100)).toBe(100 * 73_728);
  expect(kvBytesAt(model('gpt-oss-120b'), 131_072)).toBe(2048 * (18 * 131_072 + 18 * 128));
  // Qwen3-Next: 12 layers keep KV; 36 hold 32 × 128 × 128 values in FP32.
  expect(kvBytesAt(model('qwen3-next-80b-a3b'), 1000)).toBe(24_576_000 + 36 * 32 * 128 * 128 * 4);
  for (const shape of models) expect(kvBytesAt(shape, 4096), shape.id).toBeGreaterThan(0);
});

test('a model that is not wholly modelled says so, in one line', () => {
  for (const id of ['gpt-oss-20b', 'llama-4-scout']) expect(model(id).unmodelled).toMatch(/^[^\n]{20,160}$/);
  for (const id of ['llama-3.1-8b', 'gemma-3-27b', 'deepseek-v3', 'qwen3-30b-a3b'])
    expect(model(id).unmodelled).toBeUndefined();
});
