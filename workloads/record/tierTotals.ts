import type { TierKind } from '../run/kvSpec.ts';
import type { TierLevelSummary, TiersSummary } from '../run/tierSummary.ts';
import type { Tiers } from '../serving/tiers/tiers.ts';
import type { Blocks, Ns } from '../units.ts';

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

/** Sums what the tiers of several replicates did. */
export class TierTotals {
  private readonly levels = new Map<TierKind, Mutable<TierLevelSummary>>();
  private replicates = 0;
  private hits = 0;
  private fetches = 0;
  private stallNs = 0;
  private passedOver = 0;
  private slowedPasses = 0;
  private slowedNs = 0;
  private throttled = 0;
  private overBudget = 0;
  private budget = false;

  /** `hits`: prompt blocks found in any tier, HBM included; `end` of the replicate. */
  add(tiers: Tiers, hits: Blocks, end: Ns): void {
    this.replicates++;
    this.hits += hits;
    this.budget = tiers.spec.decode_latency_budget_ms !== undefined;
    const fresh = new Map<TierKind, number>();
    for (const node of tiers.nodes) {
      for (const level of node.levels) {
        const sum = this.levels.get(level.kind) ?? emptyLevel(level.kind);
        this.levels.set(level.kind, sum);
        const weight = 1 / tiers.nodes.length;
        sum.capacity_blocks = (fresh.get(level.kind) ?? 0) + level.capacity;
        fresh.set(level.kind, sum.capacity_blocks);
        sum.resident_blocks += level.resident;
        sum.hits += level.hits;
        sum.hit_tokens += level.hitTokens;
        sum.promotions += level.promotions;
        sum.promoted_bytes += level.promotedBytes;
        sum.demotions += level.demotions;
        sum.demoted_bytes += level.demotedBytes;
        sum.drops += level.drops;
        sum.up_busy += weight * level.busy('up', end);
        sum.down_busy += weight * level.busy('down', end);
      }
    }
    for (const member of tiers.members) {
      this.fetches += member.fetches;
      this.stallNs += member.stallNs;
      this.passedOver += member.passedOver;
      this.slowedPasses += member.slowedPasses;
      this.slowedNs += member.slowedNs;
      this.throttled += member.throttled;
      this.overBudget += member.overBudget;
    }
  }

  /** Undefined where no replicate had tiers. */
  get summary(): TiersSummary | undefined {
    const { replicates } = this;
    if (replicates === 0) return undefined;
    const levels = [...this.levels.values()];
    return {
      hbm_hits: this.hits - levels.reduce((sum, level) => sum + level.hits, 0),
      levels: levels.map((level) => ({
        ...level,
        resident_blocks: level.resident_blocks / replicates,
        up_busy: level.up_busy / replicates,
        down_busy: level.down_busy / replicates,
      })),
      fetches: this.fetches,
      stall_s: this.stallNs / 1e9,
      ...(this.fetches > 0 ? { stall_mean_ms: this.stallNs / this.fetches / 1e6 } : {}),
      passed_over: this.passedOver,
      slowed_passes: this.slowedPasses,
      slowed_s: this.slowedNs / 1e9,
      ...(this.budget ? { throttled: this.throttled, over_budget: this.overBudget } : {}),
    };
  }
}

const emptyLevel = (tier: TierKind): Mutable<TierLevelSummary> => ({
  tier,
  capacity_blocks: 0,
  resident_blocks: 0,
  hits: 0,
  hit_tokens: 0,
  promotions: 0,
  promoted_bytes: 0,
  demotions: 0,
  demoted_bytes: 0,
  drops: 0,
  up_busy: 0,
  down_busy: 0,
});
