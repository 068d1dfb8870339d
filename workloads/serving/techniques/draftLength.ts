import type { Fraction, Ns } from '../../units.ts';

/**
 * Tokens that a round of `length` drafts gives on average: 1 + α + α·αd + …; (1 − α^(K+1))/(1 − α) where d = 1.
 * Leviathan, Kalman, Matias, "Fast inference from transformers via speculative decoding" (2023), equation 1.
 */
export function expectedTokens(alpha: Fraction, length: number, positionDecay: Fraction = 1): number {
  let sum = 1;
  let reached = 1;
  let chance = alpha;
  for (let i = 0; i < length; i++) {
    reached *= chance;
    chance *= positionDecay;
    sum += reached;
  }
  return sum;
}

/**
 * The draft length, 0 to `longest`, that gives the most tokens per second, where a round of K drafts takes `roundNs(K)`.
 * The same question as Leviathan's optimal γ, with the time of a verification taken from the cost model instead of constant:
 * that is where the batch comes in. Ties go to the shorter.
 */
export function bestDraftLength(
  alpha: Fraction,
  longest: number,
  roundNs: (length: number) => Ns,
  positionDecay: Fraction = 1,
): number {
  let best = 0;
  let rate = 1 / roundNs(0);
  for (let length = 1; length <= longest; length++) {
    const own = expectedTokens(alpha, length, positionDecay) / roundNs(length);
    if (own > rate) {
      best = length;
      rate = own;
    }
  }
  return best;
}
