import type { Target } from './target.ts';
import { wideExpertParallelism } from './wideExpertParallelism.ts';

/** Experts over GPUs, pipelines and tensor parallelism. */
export const parallelTargets: readonly Target[] = [wideExpertParallelism];
