import type { Summary } from '../run/summary.ts';
import type { CouplingTotals } from './replicateResult.ts';

/** Sums what expert groups and pipelines did over the replicates. */
export class ParallelTotals {
  private readonly moe = {
    passes: 0,
    tokens: 0,
    passNs: 0,
    expertNs: 0,
    meanExpertNs: 0,
    exchangeNs: 0,
    exposedNs: 0,
    expertImbalance: 0,
    rankImbalance: 0,
    dropped: 0,
    offIsland: 0,
    /** Times the ranks of the group: what all would carry if they were as busy. */
    busiestTokens: 0,
  };
  private readonly pipeline = { activeNs: 0, busyNs: 0, microBatches: 0 };
  /** Σ over lines of stages × active time. */
  private stageNs = 0;
  private stages = 0;

  add({ groups, lines }: CouplingTotals): void {
    for (const group of groups) {
      const { totals } = group;
      const sum = this.moe;
      sum.passes += totals.passes;
      sum.tokens += totals.tokens;
      sum.passNs += totals.passNs;
      sum.expertNs += totals.expertNs;
      sum.meanExpertNs += totals.meanExpertNs;
      sum.exchangeNs += totals.exchangeNs;
      sum.exposedNs += totals.exposedNs;
      sum.expertImbalance += totals.expertImbalance;
      sum.rankImbalance += totals.rankImbalance;
      sum.dropped += totals.dropped;
      sum.offIsland += totals.offIsland;
      sum.busiestTokens += totals.busiestTokens * group.ranks;
    }
    for (const line of lines) {
      this.stages = line.stages;
      this.pipeline.activeNs += line.totals.activeNs;
      this.pipeline.busyNs += line.totals.busyNs;
      this.pipeline.microBatches += line.totals.microBatches;
      this.stageNs += line.stages * line.totals.activeNs;
    }
  }

  /** The optional parts of a summary; nothing where nothing was coupled. */
  summary(): Pick<Summary, 'moe' | 'pipeline'> {
    const { moe, pipeline } = this;
    return {
      ...(moe.tokens > 0
        ? {
            moe: {
              passes: moe.passes,
              expert_imbalance: moe.expertImbalance / moe.tokens,
              rank_imbalance: moe.rankImbalance / moe.tokens,
              data_rank_imbalance: moe.busiestTokens / moe.tokens,
              drop_rate: moe.dropped / moe.tokens,
              off_island_share: moe.offIsland / moe.tokens,
              expert_share: moe.expertNs / moe.passNs,
              straggler_share: (moe.expertNs - moe.meanExpertNs) / moe.passNs,
              all_to_all_share: moe.exchangeNs / moe.passNs,
              exposed_all_to_all_share: moe.exposedNs / moe.passNs,
            },
          }
        : {}),
      ...(this.stageNs > 0
        ? {
            pipeline: {
              stages: this.stages,
              micro_batches: pipeline.microBatches,
              bubble_fraction: 1 - pipeline.busyNs / this.stageNs,
            },
          }
        : {}),
    };
  }
}
