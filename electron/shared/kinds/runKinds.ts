import type { z } from 'zod';
import type { AnySpec } from '../../../workloads/kernels/kernelSpec.ts';
import { kernels } from './kernels.ts';
import { matchKind, type RunKind } from './runKind.ts';
import { serving } from './serving.ts';

/** The registry: every kind of run. A new kind is a file beside this one, a line here and an entry in `ByKind`. */
export const runKinds = [serving, kernels] as const;

/** Answers with the kind that this spec is of. */
export const withKind = <T>(
  spec: AnySpec,
  answer: <Spec extends AnySpec>(kind: RunKind<Spec>, own: Spec) => T,
): T =>
  matchKind(spec, {
    serving: (own) => answer(serving, own),
    kernels: (own) => answer(kernels, own),
  });

/** The schema that a document claims to follow; of one that is no object, the first kind's, which says what is wrong. */
export const schemaOf = (document: unknown): z.ZodType<AnySpec> =>
  typeof document === 'object' && document !== null && 'kind' in document ? kernels.schema : serving.schema;
