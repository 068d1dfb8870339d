import type { Tokens } from '../../../units.ts';

/**
 * Passes that are measured to make operator tables of a model on a card: each is one chunk of a prompt (or none) beside so many
 * sequences that decode, all with the same context.
 */
export interface TablePoint {
  readonly chunk: Tokens;
  /** Tokens of the prompt that were computed before the chunk. */
  readonly before: Tokens;
  readonly sequences: number;
  /** Context of each decoding sequence, its new token included. */
  readonly context: Tokens;
}

export interface TableLimits {
  readonly maxTokens: Tokens;
  readonly maxSequences: number;
  readonly maxContext: Tokens;
  /** Tokens that the KV memory holds. */
  readonly poolTokens: Tokens;
}

const sequenceSteps = [1, 2, 4, 8, 16, 32, 64, 128, 256];
const contextSteps = [16, 512, 2048, 8192, 32_768];
const chunkSteps = [16, 64, 128, 256, 512, 1024, 2048, 4096, 8192];
const beforeSteps = [0, 1024, 4096, 16_384];
const mixedChunks = [64, 256, 1024, 4096];
const mixedSequences = [1, 8, 32, 128];
const mixedBefore = [0, 4096];
const mixedContexts = [256, 2048, 8192];

/** The points that fit, cheap ones first. */
export function tablePoints(limits: TableLimits): TablePoint[] {
  const points: TablePoint[] = [];
  const add = (chunk: Tokens, before: Tokens, sequences: number, context: Tokens): void => {
    const fits =
      chunk + sequences <= limits.maxTokens &&
      sequences + (chunk > 0 ? 1 : 0) <= limits.maxSequences &&
      Math.max(before + chunk, context) <= limits.maxContext &&
      before + chunk + sequences * (context + 16) <= limits.poolTokens;
    if (fits) points.push({ chunk, before, sequences, context });
  };
  for (const sequences of sequenceSteps) for (const context of contextSteps) add(0, 0, sequences, context);
  for (const chunk of chunkSteps) for (const before of beforeSteps) add(chunk, before, 0, 0);
  for (const chunk of mixedChunks) {
    for (const sequences of mixedSequences) {
      for (const before of mixedBefore)
        for (const context of mixedContexts) add(chunk, before, sequences, context);
    }
  }
  return points;
}

export const pointKey = ({ chunk, before, sequences, context }: TablePoint): string =>
  `${chunk},${before},${sequences},${context}`;
