import type { Distribution } from './summary.ts';

/** How one tier fared. Rates are per second of the run's makespan. */
export interface TierSummary {
  readonly tier: number;
  readonly name: string;
  /** Share of the capacity that was kept for it. */
  readonly reserved: number;
  readonly slo: { readonly ttft_ms?: number; readonly tpot_ms?: number; readonly e2e_ms?: number };
  readonly arrived: number;
  readonly rejected: number;
  readonly completed: number;
  readonly unfinished: number;
  /** Requests that met the tier's objectives, per second, and as a share of those that arrived; absent without objectives. */
  readonly good_requests?: number;
  readonly goodput_rps?: number;
  readonly good_share?: number;
  readonly ttft_ms?: Distribution;
  readonly queue_ms?: Distribution;
}

/** A pool's load over time, while requests arrive and less the first fifth, in which the cluster fills; see `serving/admission/load.ts` for what load is. */
export interface LoadSummary {
  readonly mean: number;
  /** Standard deviation over time: how much it fluctuates. */
  readonly std: number;
  /** Where the load swings: time from one peak of its autocorrelation to the next, and its height there. */
  readonly period_s?: number;
  readonly autocorrelation?: number;
}

export interface AdmissionSummary {
  readonly policy: string;
  /** Times that a request was turned away, those that came back included. */
  readonly refusals: number;
  readonly refusals_by_reason: Readonly<Record<string, number>>;
  /** Requests that came back at least once. */
  readonly retried: number;
  /** Requests turned away when their prompt was computed, and the prompt tokens computed in vain. */
  readonly wasted_prefills: number;
  readonly wasted_prompt_tokens: number;
  readonly prefill_load: LoadSummary;
  readonly decode_load: LoadSummary;
  /** Correlation of the two loads; near −1 they swing in antiphase. Absent where one of them stands still. */
  readonly load_correlation?: number;
  readonly tiers: readonly TierSummary[];
}
