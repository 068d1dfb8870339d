import type { TechniqueSummary } from '../../run/techniqueSummary.ts';

export interface SpeculationCounts {
  readonly kind: 'speculation';
  /** Sequences × passes in which a sequence decoded. */
  rounds: number;
  drafted: number;
  accepted: number;
  draftNs: number;
  verifyNs: number;
}

export interface EarlyExitCounts {
  readonly kind: 'early_exit';
  tokens: number;
  /** Σ over tokens of the share of layers after which they left. */
  depth: number;
  /** Tokens that left no earlier than their prediction was the full model's. */
  agreed: number;
  /** Σ over decoding passes of the share of layers that ran. */
  passDepth: number;
  passes: number;
}

export interface GuidedCounts {
  readonly kind: 'guided';
  masks: number;
  /** CPU time of all masks. */
  maskNs: number;
  /** Part of the passes' time in which the GPU waited for masks, their copies and their kernel. */
  exposedNs: number;
  passNs: number;
}

/** Sums over passes; instances and replicates add up. */
export type TechniqueCounts = SpeculationCounts | EarlyExitCounts | GuidedCounts;

/** Adds `more` to `sum`. Throws where they count different techniques: a run has one. */
export function addCounts(sum: TechniqueCounts, more: TechniqueCounts): void {
  if (sum.kind === 'speculation' && more.kind === 'speculation') {
    sum.rounds += more.rounds;
    sum.drafted += more.drafted;
    sum.accepted += more.accepted;
    sum.draftNs += more.draftNs;
    sum.verifyNs += more.verifyNs;
  } else if (sum.kind === 'early_exit' && more.kind === 'early_exit') {
    sum.tokens += more.tokens;
    sum.depth += more.depth;
    sum.agreed += more.agreed;
    sum.passDepth += more.passDepth;
    sum.passes += more.passes;
  } else if (sum.kind === 'guided' && more.kind === 'guided') {
    sum.masks += more.masks;
    sum.maskNs += more.maskNs;
    sum.exposedNs += more.exposedNs;
    sum.passNs += more.passNs;
  } else throw new Error(`counts of ${more.kind} do not add to those of ${sum.kind}`);
}

export function techniqueSummary(counts: TechniqueCounts): TechniqueSummary {
  switch (counts.kind) {
    case 'speculation': {
      const { kind, rounds, drafted, accepted, draftNs, verifyNs } = counts;
      return {
        kind,
        ...(rounds > 0
          ? {
              tokens_per_round: (rounds + accepted) / rounds,
              draft_length: drafted / rounds,
              draft_time_share: draftNs / (draftNs + verifyNs),
            }
          : {}),
        ...(drafted > 0 ? { draft_acceptance: accepted / drafted } : {}),
      };
    }
    case 'early_exit': {
      const { kind, tokens, depth, agreed, passDepth, passes } = counts;
      if (tokens === 0) return { kind };
      return {
        kind,
        token_depth: depth / tokens,
        pass_depth: passDepth / passes,
        exit_agreement: agreed / tokens,
      };
    }
    case 'guided': {
      const { kind, masks, maskNs, exposedNs, passNs } = counts;
      if (masks === 0) return { kind };
      return { kind, mask_ms: maskNs / masks / 1e6, mask_exposed_share: exposedNs / passNs };
    }
    default: {
      const never: never = counts;
      return never;
    }
  }
}
