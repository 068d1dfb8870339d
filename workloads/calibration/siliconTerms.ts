import type { Terms } from './silicon.ts';

/**
 * What `node scripts/validate-sim.mjs silicon --fit` found on the H100 half, rounded: once with all models, and once without each of them.
 * The others' rows decide nothing of a model that was left out, so its error under `termsWithout` is that of a model never seen.
 */
const terms = (
  [compute, memory, expert, kernelUs, reduceUs, gapUs]: readonly [
    number,
    number,
    number,
    number,
    number,
    number,
  ],
  vllm: readonly [passUs: number, sequenceUs: number, requestMs: number],
  sglangRequestMs: number,
  requestUsPerToken: number,
): Terms => ({
  compute,
  memory,
  expert,
  kernelUs,
  reduceUs,
  gapUs,
  passUs: { vllm: vllm[0], sglang: 500 },
  sequenceUs: { vllm: vllm[1], sglang: 10 },
  requestMs: { vllm: vllm[2], sglang: sglangRequestMs },
  requestUsPerToken,
});

export const fittedTerms: Terms = terms([0.656, 0.833, 0.19, 3.73, 7.68, 172], [0, 50.4, 19.2], 10.3, 3.84);

export const termsWithout: Readonly<Record<string, Terms>> = {
  'qwen3-32b': terms([0.617, 0.836, 0.192, 3.44, 11.15, 140], [0, 37.4, 18.3], 2, 4.12),
  'gpt-oss-120b': terms([0.619, 0.903, 0.118, 4.47, 7.76, 0], [0, 49, 18.3], 2.9, 0),
  'llama-3.1-70b': terms([0.692, 0.823, 0.192, 3.58, 10.51, 50], [399, 48.2, 16.5], 40, 5.32),
  'minimax-m2': terms([0.62, 0.87, 0.192, 3.44, 6.48, 476], [0, 55, 14.7], 7.5, 2.8),
};
