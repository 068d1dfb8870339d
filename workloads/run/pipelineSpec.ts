import { z } from 'zod';
import { groupLinkSpec } from './moeSpec.ts';

/**
 * Pipeline parallelism. All instances that name the same line are its micro-batch slots (vLLM's virtual engines): each has
 * its own requests and its share of the KV cache, and one pass of each may be under way in the line's stages.
 */
export const pipelineSpec = z.strictObject({
  line: z.string().min(1),
  /** Each computes an equal share of the layers, the last one lm_head too. */
  stages: z.int().min(1),
  /** Carries activations from stage to stage. */
  link: groupLinkSpec,
});
export type PipelineSpec = z.infer<typeof pipelineSpec>;
