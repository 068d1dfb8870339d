import type { Tokens } from '../../../units.ts';

/** Predicted against reported cached tokens of one server, over the answers that reported any figure. */
export interface Misprediction {
  readonly answers: number;
  /** Answers whose figure differs from the prediction by more than one block. */
  readonly wrong: number;
  /** wrong / answers; NaN before the first. */
  readonly rate: number;
  /** Mean of reported − predicted, tokens: below 0 where the index believes too much; NaN before the first. */
  readonly meanError: Tokens;
  /** The same, exponentially weighted with the last 50 answers or so: its drift. */
  readonly recentError: Tokens;
}

export class Mispredictions {
  private answers = 0;
  private wrong = 0;
  private sum = 0;
  private recent = Number.NaN;

  /** `blockTokens`: what a prediction may be off by, since servers recompute the last token and round to their blocks. */
  add(predicted: Tokens, reported: Tokens, blockTokens: Tokens): void {
    const error = reported - predicted;
    this.answers += 1;
    if (Math.abs(error) > blockTokens) this.wrong += 1;
    this.sum += error;
    this.recent = Number.isNaN(this.recent) ? error : this.recent + (error - this.recent) / 25;
  }

  get value(): Misprediction {
    const { answers, wrong } = this;
    return {
      answers,
      wrong,
      rate: answers === 0 ? Number.NaN : wrong / answers,
      meanError: answers === 0 ? Number.NaN : this.sum / answers,
      recentError: this.recent,
    };
  }
}
