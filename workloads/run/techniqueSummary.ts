import type { TechniqueSpec } from './techniqueSpec.ts';

/** What summary.json says of a technique. A ratio over nothing is absent. */
export interface TechniqueSummary {
  readonly kind: TechniqueSpec['kind'];
  /** Tokens per sequence and decoding pass. */
  readonly tokens_per_round?: number;
  /** Accepted ÷ drafted tokens. */
  readonly draft_acceptance?: number;
  /** Drafted tokens per sequence and decoding pass. */
  readonly draft_length?: number;
  /** Draft's part of the time of draft and verification. */
  readonly draft_time_share?: number;
  /** Mean share of the layers that a token went through. */
  readonly token_depth?: number;
  /** Mean share of the layers that a decoding pass ran. */
  readonly pass_depth?: number;
  /** Tokens that are the full model's, given the same text before them ÷ tokens. */
  readonly exit_agreement?: number;
  /** CPU time of one mask, ms. */
  readonly mask_ms?: number;
  /** Share of the passes' time spent waiting for masks. */
  readonly mask_exposed_share?: number;
}
