import { z } from 'zod';

/** What a router is told of how hard a request is. Never the truth, unless it is called so. */
export const classifierSpec = z.discriminatedUnion('kind', [
  /** Nothing: every request counts as the hardest. */
  z.strictObject({ kind: z.literal('none') }),
  /** By prompt length: from `from_tokens[i]` on a request counts as needing model i + 1 of the ladder. */
  z.strictObject({ kind: z.literal('length'), from_tokens: z.array(z.int().positive()).min(1) }),
  /** Right with this probability, else one of the other classes, each as likely; drawn from a stream of its own. */
  z.strictObject({ kind: z.literal('noisy'), accuracy: z.number().min(0).max(1) }),
  /** The truth: for study, as a bound. */
  z.strictObject({ kind: z.literal('oracle') }),
]);
export type ClassifierSpec = z.infer<typeof classifierSpec>;

/**
 * How hard requests are, in a cluster whose instances serve models of different sizes. A request of class c is answered well
 * by the c-th model of the ladder or a larger one: a stand-in for quality, not a measurement of any model.
 */
export const complexitySpec = z
  .strictObject({
    /** Models, the smallest first. */
    ladder: z.array(z.string().min(1)).min(1).max(8),
    /** Share of the requests of each class, one per model. */
    mix: z.array(z.number().min(0)),
    /** Correlation of the hidden difficulty with the logarithm of the prompt's length. */
    length_correlation: z.number().min(0).max(1),
    classifier: classifierSpec,
  })
  .refine((c) => c.mix.length === c.ladder.length && c.mix.some((share) => share > 0), {
    message: 'expected one share per model of the ladder, at least one of them above 0',
    path: ['mix'],
  })
  .refine((c) => c.classifier.kind !== 'length' || c.classifier.from_tokens.length === c.ladder.length - 1, {
    message: 'expected one threshold less than the ladder has models',
    path: ['classifier'],
  });
export type ComplexitySpec = z.infer<typeof complexitySpec>;
