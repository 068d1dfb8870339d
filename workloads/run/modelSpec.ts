import { z } from 'zod';

const count = z.int().positive();
const amount = z.number().min(0);

/** The shape of a model within a run spec, as `model/shape.ts` defines it. */
export const modelShapeSpec = z.strictObject({
  id: z.string().min(1).max(200),
  label: z.string().max(400),
  layers: count,
  hidden: count,
  heads: count,
  kvHeads: count,
  headDim: count,
  intermediate: count,
  vocabulary: count,
  tiedEmbeddings: z.boolean(),
  experts: z
    .strictObject({
      count,
      perToken: count,
      intermediate: count,
      sharedIntermediate: amount,
      denseLayers: amount,
    })
    .optional(),
  latent: z
    .strictObject({ kvRank: count, ropeDim: amount, queryRank: amount, valueDim: count.optional() })
    .optional(),
  windows: z.strictObject({ layers: count, tokens: count }).optional(),
  linear: z.strictObject({ layers: count, weights: amount, stateValues: amount }).optional(),
  gatedAttention: z.boolean().optional(),
  bytesPerWeight: z.number().positive(),
  bytesPerKvValue: z.number().positive(),
  weightFormat: z.enum(['bf16', 'fp8', 'int8', 'mxfp4', 'fp4', 'w8a16', 'w4a16']).optional(),
  smallParameters: amount.optional(),
  maxContext: count.optional(),
  /** The config.json itself, for engines that compute the model. */
  config: z.record(z.string(), z.unknown()).optional(),
  unmodelled: z.string().max(2000).optional(),
  source: z.string().max(4096),
});
export type ModelShapeSpec = z.infer<typeof modelShapeSpec>;
