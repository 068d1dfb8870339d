import { uniformAt } from '../../run/counterRandom.ts';
import { type Random, stream } from '../../run/random.ts';
import type { SpeculationSpec } from '../../run/techniqueSpec.ts';
import type { Fraction, Tokens } from '../../units.ts';

/**
 * Which of its own next tokens a request's draft guesses. The luck belongs to the token, not to the round: output token g of
 * request r is guessable or not whatever the draft length, the batch and the instance, so that lengths are compared on equal
 * text. Given that, tokens are independent, and a round of K drafts gives 1 + α + … + α^K tokens on average.
 */
export class Acceptance {
  private readonly spec: SpeculationSpec['acceptance'];
  private readonly key: number;
  private readonly requests: Random;
  private readonly own: Float64Array;

  constructor(spec: SpeculationSpec['acceptance'], seed: number, replicate: number, requests: number) {
    this.spec = spec;
    this.key = stream(seed, `acceptance ${replicate}`).bits();
    this.requests = stream(seed, `acceptance of requests ${replicate}`);
    this.own = new Float64Array(requests).fill(Number.NaN);
  }

  /** Acceptance of the first drafted token of a round of r. */
  alpha(r: number): Fraction {
    const { mean, spread } = this.spec;
    if (spread === 0 || mean === 0 || mean === 1) return mean;
    const known = this.own[r] ?? Number.NaN;
    if (!Number.isNaN(known)) return known;
    // A beta distribution has at most the variance mean × (1 − mean), all of it at 0 and 1.
    const most = mean * (1 - mean);
    const weight = Math.max(1e-3, most / (spread * spread) - 1);
    const random = this.requests.fork(String(r));
    const yes = random.gamma(mean * weight, 1);
    const no = random.gamma((1 - mean) * weight, 1);
    const alpha = yes + no > 0 ? yes / (yes + no) : mean;
    this.own[r] = alpha;
    return alpha;
  }

  /** Of `length` drafted tokens, the first being output token `next` of r: how many from the front are the target's own. */
  accepted(r: number, next: Tokens, length: number): number {
    const decay = this.spec.position_decay;
    let chance = this.alpha(r);
    for (let i = 0; i < length; i++) {
      if (uniformAt(this.key, r, next + i) >= chance) return i;
      chance *= decay;
    }
    return length;
  }
}
