import { inferencePlacement } from './inferencePlacement.ts';
import { moeInference } from './moeInference.ts';
import { moeOverlap } from './moeOverlap.ts';
import { moeRouting } from './moeRouting.ts';
import { pipelineParallelism } from './pipelineParallelism.ts';
import type { Target } from './target.ts';
import { wideExpertParallelism } from './wideExpertParallelism.ts';

/** Experts over GPUs, pipelines and tensor parallelism. */
export const parallelTargets: readonly Target[] = [
  moeInference,
  moeOverlap,
  wideExpertParallelism,
  inferencePlacement,
  moeRouting,
  pipelineParallelism,
];
