import type { EngineSettings } from './measuredRun.ts';

/**
 * The engines of the measured runs, from their own configuration and data sheets; nothing here was fitted.
 * `kvBlocks` is num_gpu_blocks less the null block; the RTX PRO 6000 run does not record it, and 33,000 is fewer than
 * 0.9 of its memory leaves and about three times what 128 such sequences fill. `skew` is skew_fit's alpha_default of the tables' own meta file.
 */
export const vllmRuns: readonly {
  readonly folder: string;
  readonly label: string;
  readonly settings: (path: string, sha256: string) => EngineSettings;
}[] = [
  run('rtx4090-llama-3.1-8b', 'RTX 4090', 2587, 256, 0),
  run('rtxpro6000-llama-3.1-8b', 'RTX PRO 6000', 33000, 128, 0.0543),
];

/** GPU idle between two passes where the next one is planned meanwhile: a graph launch and the sampled tokens' copy. */
export const plannedAheadGapUs = 200;

function run(folder: string, label: string, kvBlocks: number, maxSequences: number, skew: number) {
  return {
    folder,
    label,
    settings: (path: string, sha256: string): EngineSettings => ({
      model: 'llama-3.1-8b',
      cost: {
        kind: 'operators',
        path,
        sha256,
        tensor_parallel: 1,
        iteration_overhead_us: plannedAheadGapUs,
        skew,
        // vLLM captures up to twice max_num_seqs, at most 512.
        graph_tokens: Math.min(512, 2 * maxSequences),
      },
      kvBlocks,
      blockTokens: 16,
      maxSequences,
      maxBatchedTokens: 2048,
    }),
  };
}
