import type { TierKind } from './kvSpec.ts';

/** What one tier below HBM did, over all nodes. */
export interface TierLevelSummary {
  readonly tier: TierKind;
  readonly capacity_blocks: number;
  /** Held at the end; the mean over replicates. */
  readonly resident_blocks: number;
  /** Prompt blocks that requests used from here, and the prompt tokens that need not be computed for it. */
  readonly hits: number;
  readonly hit_tokens: number;
  /** Blocks sent up to an instance, and down to this tier. */
  readonly promotions: number;
  readonly promoted_bytes: number;
  readonly demotions: number;
  readonly demoted_bytes: number;
  /** Blocks given up, or not taken in for lack of room on the way, that no tier below took. */
  readonly drops: number;
  /** Share of the time in which a link up (down) was taken; the mean over links. */
  readonly up_busy: number;
  readonly down_busy: number;
}

/** Prefixes that prompts fetched from another instance's HBM before they queued. */
export interface PrefixFetchSummary {
  readonly fetches: number;
  readonly blocks: number;
  readonly bytes: number;
  /** Decision until the prefix was there, summed up; waiting for the links included. */
  readonly wait_s: number;
  /** For lack of blocks at the target: the prompt queued at once. */
  readonly refused: number;
}

export interface TiersSummary {
  /** Prompt blocks that requests used from HBM. */
  readonly hbm_hits: number;
  readonly levels: readonly TierLevelSummary[];
  /** Requests that waited for blocks from a tier, and for how long. */
  readonly fetches: number;
  readonly stall_s: number;
  /** Mean wait of the requests that waited; absent where none did. */
  readonly stall_mean_ms?: number;
  /** Blocks found in a tier and computed all the same. */
  readonly passed_over: number;
  /** Decode passes that transfers made longer, and by how much in all. */
  readonly slowed_passes: number;
  readonly slowed_s: number;
  /** Fetches that were slowed for the decode budget, and passes that exceeded it for a transfer's sake; absent without one. */
  readonly throttled?: number;
  readonly over_budget?: number;
}
