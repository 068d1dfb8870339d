import { gaussianAt } from '../../run/counterRandom.ts';
import { stream } from '../../run/random.ts';
import type { EarlyExitSpec } from '../../run/techniqueSpec.ts';
import type { Fraction, Tokens } from '../../units.ts';

const logit = (p: number): number => Math.log(p / (1 - p));
const logistic = (x: number): number => 1 / (1 + Math.exp(-x));

/**
 * When a token may leave, and whether it should have: a parametric model, not a measurement of a model.
 *
 *   saturation s   depth from which on the token's prediction is the full model's; logit(s) ~ N(logit(median), spread²)
 *   confidence     logistic((x − s) / softness + noise × z) at depth x, one z per token
 *   it leaves      at the first exit where confidence ≥ threshold, that is x ≥ s + softness × (logit(threshold) − noise × z)
 *   it is right    where x ≥ s
 *
 * So a high threshold or little noise keeps the answer and costs depth. The default median is set so that the mean depth is what
 * LayerSkip reports for one example of Llama 1 7B, 23.45 of 32 layers (Elhoushi et al. 2024, section 3): a model trained for early
 * exits saturates earlier. A wrong token changes the text after it; that is not followed here.
 */
export class Confidence {
  private readonly spec: EarlyExitSpec;
  private readonly depthKey: number;
  private readonly noiseKey: number;
  private readonly margin: number;
  private readonly middle: number;

  constructor(spec: EarlyExitSpec, seed: number, replicate: number) {
    this.spec = spec;
    const random = stream(seed, `early exit ${replicate}`);
    this.depthKey = random.bits();
    this.noiseKey = random.bits();
    this.margin = logit(spec.threshold);
    this.middle = logit(spec.saturation.median);
  }

  /** Share of the layers after which output token g of request r is the full model's. */
  saturation(r: number, g: Tokens): Fraction {
    const { spread } = this.spec.saturation;
    return logistic(this.middle + (spread === 0 ? 0 : spread * gaussianAt(this.depthKey, r, g)));
  }

  /** The exit that it takes: an index of `exits`, or their number where it goes through all layers. */
  exit(r: number, g: Tokens, saturation: Fraction): number {
    const { exits, confidence } = this.spec;
    const luck = confidence.noise === 0 ? 0 : confidence.noise * gaussianAt(this.noiseKey, r, g);
    const needed = saturation + confidence.softness * (this.margin - luck);
    let i = 0;
    while (i < exits.length && (exits[i] ?? 1) < needed) i++;
    return i;
  }
}
