import { z } from 'zod';
import type { RunSpec } from '../run/spec.ts';

/** A run that measures kernels: the variants of a target in turn (A B A B …) in one process on one GPU. */
export const kernelSpec = z.strictObject({
  schema: z.literal(1),
  kind: z.literal('kernel'),
  target: z.string(),
  /** For lists of runs: the variant, `a_b` where several are in it. */
  variant: z.string(),
  engine: z.literal('cuda'),
  variants: z.array(z.string()).min(1),
  device: z.int().min(0),
  parameters: z.record(z.string(), z.union([z.number(), z.string(), z.boolean()])),
  seed: z.int().min(0).max(0xffffffff),
  /** Measured iterations of each variant, after `warm_up` that are thrown away. */
  iterations: z.int().positive(),
  warm_up: z.int().min(0),
  /** What is recorded beside times; absent: nothing, and nothing is slowed. */
  record: z
    .strictObject({
      /**
       * A timeline of every kernel, copy and CUDA call of the measured iterations, by CUPTI. `serial`: kernels wait for each
       * other, which overlapping work would notice, and a kernel of very many blocks is not slowed by the recording.
       */
      kernels: z.union([z.boolean(), z.literal('serial')]).optional(),
      /** Hardware counters of one more iteration: of each launch, or of the iteration as one range. */
      counters: z.enum(['kernel', 'range']).optional(),
    })
    .optional(),
});
export type KernelSpec = z.infer<typeof kernelSpec>;

export const recordsKernels = ({ record }: Pick<KernelSpec, 'record'>): boolean =>
  record?.kernels !== undefined && record.kernels !== false;

/** Everything that a run can be. */
export type AnySpec = RunSpec | KernelSpec;
export const isKernelSpec = (spec: AnySpec): spec is KernelSpec => 'kind' in spec;
