import type { ModelShape } from './shape.ts';

const dense = (
  id: string,
  label: string,
  layers: number,
  hidden: number,
  heads: number,
  kvHeads: number,
  headDim: number,
  intermediate: number,
  vocabulary: number,
  tiedEmbeddings: boolean,
  source: string,
): ModelShape => ({
  id,
  label,
  layers,
  hidden,
  heads,
  kvHeads,
  headDim,
  intermediate,
  vocabulary,
  tiedEmbeddings,
  bytesPerWeight: 2,
  bytesPerKvValue: 2,
  source: `config.json of ${source}`,
});

/**
 * Experts in MXFP4: 4 bits and one 8-bit scale per 32 values; taken for all weights, as nearly all are experts'. The arithmetic is
 * BF16 on a Hopper card. Every other layer attends to 128 tokens only: that is not modelled, so long contexts come out too slow.
 */
const gptOss = (id: string, label: string, layers: number, experts: number): ModelShape => ({
  ...dense(id, label, layers, 2880, 64, 8, 64, 2880, 201088, false, `openai/${id}`),
  experts: { count: experts, perToken: 4, intermediate: 2880, sharedIntermediate: 0, denseLayers: 0 },
  bytesPerWeight: 0.53125,
});

const llama70b = dense(
  'llama-3.1-70b',
  'Llama 3.1 70B (BF16)',
  80,
  8192,
  64,
  8,
  128,
  28672,
  128256,
  false,
  'meta-llama/Llama-3.1-70B',
);

/** Shapes as their authors publish them. The id names the precision where it is not BF16. */
export const models: readonly ModelShape[] = [
  dense('llama-3.2-1b', 'Llama 3.2 1B', 16, 2048, 32, 8, 64, 8192, 128256, true, 'meta-llama/Llama-3.2-1B'),
  dense(
    'llama-3.1-8b',
    'Llama 3.1 8B',
    32,
    4096,
    32,
    8,
    128,
    14336,
    128256,
    false,
    'meta-llama/Llama-3.1-8B',
  ),
  llama70b,
  {
    ...llama70b,
    id: 'llama-3.1-70b-fp8',
    label: 'Llama 3.1 70B (FP8 weights and activations)',
    bytesPerWeight: 1,
  },
  dense('qwen3-8b', 'Qwen3 8B', 36, 4096, 32, 8, 128, 12288, 151936, false, 'Qwen/Qwen3-8B'),
  dense('qwen3-32b', 'Qwen3 32B', 64, 5120, 64, 8, 128, 25600, 151936, false, 'Qwen/Qwen3-32B'),
  {
    ...dense(
      'mixtral-8x7b',
      'Mixtral 8x7B',
      32,
      4096,
      32,
      8,
      128,
      14336,
      32000,
      false,
      'mistralai/Mixtral-8x7B-v0.1',
    ),
    experts: { count: 8, perToken: 2, intermediate: 14336, sharedIntermediate: 0, denseLayers: 0 },
  },
  {
    ...dense(
      'qwen3-30b-a3b',
      'Qwen3 30B-A3B',
      48,
      2048,
      32,
      4,
      128,
      6144,
      151936,
      false,
      'Qwen/Qwen3-30B-A3B',
    ),
    experts: { count: 128, perToken: 8, intermediate: 768, sharedIntermediate: 0, denseLayers: 0 },
  },
  {
    ...dense(
      'qwen3-235b-a22b',
      'Qwen3 235B-A22B',
      94,
      4096,
      64,
      4,
      128,
      12288,
      151936,
      false,
      'Qwen/Qwen3-235B-A22B',
    ),
    experts: { count: 128, perToken: 8, intermediate: 1536, sharedIntermediate: 0, denseLayers: 0 },
  },
  {
    ...dense(
      'minimax-m2',
      'MiniMax M2 (FP8)',
      62,
      3072,
      48,
      8,
      128,
      1536,
      200064,
      false,
      'MiniMaxAI/MiniMax-M2',
    ),
    experts: { count: 256, perToken: 8, intermediate: 1536, sharedIntermediate: 0, denseLayers: 0 },
    bytesPerWeight: 1,
  },
  gptOss('gpt-oss-20b', 'gpt-oss 20B (MXFP4)', 24, 32),
  gptOss('gpt-oss-120b', 'gpt-oss 120B (MXFP4)', 36, 128),
  {
    ...dense(
      'deepseek-v3',
      'DeepSeek V3 (FP8)',
      61,
      7168,
      128,
      128,
      128,
      18432,
      129280,
      false,
      'deepseek-ai/DeepSeek-V3',
    ),
    experts: { count: 256, perToken: 8, intermediate: 2048, sharedIntermediate: 2048, denseLayers: 3 },
    latent: { kvRank: 512, ropeDim: 64, queryRank: 1536 },
    bytesPerWeight: 1,
  },
];

export const findModel = (id: string): ModelShape | undefined => models.find((model) => model.id === id);
