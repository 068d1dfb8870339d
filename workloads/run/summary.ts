import type { TraceSource } from '../traffic/traffic.ts';
import type { AdmissionSummary } from './admissionSummary.ts';
import type { ClientSummary } from './clientSummary.ts';
import type { QualitySummary } from './qualitySummary.ts';
import type { SchedulingSummary } from './schedulingSummary.ts';
import type { EngineId } from './spec.ts';
import type { TechniqueSummary } from './techniqueSummary.ts';
import type { PrefixFetchSummary, TiersSummary } from './tierSummary.ts';

/** Five-number view of a latency distribution, in the unit of the metric. Percentiles interpolate linearly over all samples. */
export interface Distribution {
  readonly n: number;
  readonly mean: number;
  readonly min: number;
  readonly p50: number;
  readonly p90: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
  /** Present where the percentiles come from a sketch: bound of their relative error. */
  readonly relative_error?: number;
}

export type LatencyMetricId = 'ttft_ms' | 'tpot_ms' | 'itl_ms' | 'tbt10_ms' | 'e2e_ms' | 'queue_ms';

export interface InstanceSummary {
  readonly instance: number;
  readonly name: string;
  readonly pool: 'prefill' | 'decode' | 'mixed';
  /** Requests whose prompt it computed / whose last token it produced. */
  readonly prefills: number;
  readonly completed: number;
  readonly prompt_tokens: number;
  readonly output_tokens: number;
  /** What follows is absent where a server does not say. */
  readonly busy_fraction?: number;
  readonly kv_blocks?: number;
  readonly kv_peak_fraction?: number;
  readonly block_refs?: number;
  readonly hits?: number;
  readonly queue_mean?: number;
  readonly queue_peak?: number;
}

/**
 * summary.json of a run bundle: exact whatever the detail, and the same bytes for the same spec.
 * Holds no host time: when and how long is in manifest.json.
 */
export interface Summary {
  readonly schema: 1;
  readonly target: string;
  readonly variant: string;
  readonly engine: EngineId;
  /** True for the simulator: every figure below is modelled, none was measured. */
  readonly simulated: boolean;
  readonly seed: number;
  readonly iterations: number;
  readonly traffic: {
    readonly name: string;
    readonly requests: number;
    readonly prompt_tokens: number;
    readonly output_tokens: number;
    readonly block_refs: number;
    readonly duration_s: number;
    /** How a trace's file was understood, and what was left out of it; absent for generated traffic. */
    readonly source?: TraceSource;
  };
  readonly metrics: Readonly<Partial<Record<LatencyMetricId, Distribution>>>;
  readonly requests: {
    readonly arrived: number;
    readonly admitted: number;
    readonly rejected: number;
    readonly completed: number;
    /** Taken by a server and lost there; absent where none was. */
    readonly failed?: number;
    readonly unfinished: number;
    readonly preempted: number;
    readonly migrated: number;
  };
  readonly kv: {
    readonly block_refs: number;
    readonly hits: number;
    readonly hit_rate: number;
    readonly hit_tokens: number;
    /** Absent where a server does not say. */
    readonly evictions?: number;
    /** Blocks found behind a missing one; absent where the cache is closed under prefixes. */
    readonly stranded?: number;
    readonly transfers: number;
    readonly transfer_bytes: number;
    /** What the tiers below HBM did; absent where there are none. */
    readonly tiers?: TiersSummary;
    /** Absent where the router never has prefixes fetched. */
    readonly prefix_fetches?: PrefixFetchSummary;
  };
  /** What was measured, mean over replicates; absent in runs of earlier versions. Definition: `record/steadyWindow.ts`. */
  readonly window?: WindowSummary;
  /** The queue still grew at the end of the window: latencies then measure the run's length. Absent where it did not. */
  readonly overload?: OverloadSummary;
  /** Latencies by pool, of instances that computed the prompt (TTFT) and that ended the answer (TPOT); absent with one pool. */
  readonly pools?: readonly PoolSummary[];
  /** What the run used and cost; absent where nothing is known of the cards. */
  readonly use?: UseSummary;
  /** Requests per second that met every SLO given; absent where no SLO was given. */
  readonly goodput_rps?: number;
  readonly good_requests?: number;
  readonly throughput_rps: number;
  readonly output_tokens_per_s: number;
  readonly prompt_tokens_per_s: number;
  /** Run's clock at the last completion, seconds. */
  readonly makespan_s: number;
  readonly balance: {
    /** max/mean of requests per instance that can take them. */
    readonly request_imbalance: number;
    readonly token_imbalance: number;
  };
  /** What speculative decoding, early exit or guided decoding did; absent where the run had none. */
  readonly technique?: TechniqueSummary;
  /** Present where experts were divided over a group of GPUs; definitions in `metrics/parallelMetrics.ts`. */
  readonly moe?: {
    readonly passes: number;
    readonly expert_imbalance: number;
    readonly rank_imbalance: number;
    readonly data_rank_imbalance: number;
    readonly drop_rate: number;
    readonly off_island_share: number;
    readonly expert_share: number;
    readonly straggler_share: number;
    readonly all_to_all_share: number;
    readonly exposed_all_to_all_share: number;
  };
  /** Present where instances were micro-batches of a pipeline. */
  readonly pipeline?: {
    readonly stages: number;
    readonly micro_batches: number;
    readonly bubble_fraction: number;
  };
  readonly per_instance: readonly InstanceSummary[];
  /** Swaps, padding, classes; absent where the spec names no scheduler policy. */
  readonly scheduling?: SchedulingSummary;
  /** Tiers, refusals and load; absent where the spec has no admission. */
  readonly admission?: AdmissionSummary;
  /** Models of several sizes: answers by model and need; absent where the spec says nothing of complexity. */
  readonly quality?: QualitySummary;
  /** The load generator's own error bar; present where servers were measured. */
  readonly client?: ClientSummary;
  /** Present where instances may come, go, fail or change their pool. */
  readonly fleet?: FleetSummary;
}

export interface WindowSummary {
  /** Seconds after the start of a replicate. */
  readonly from_s: number;
  readonly to_s: number;
  readonly rule: 'given' | 'mser5' | 'all' | 'whole';
  /** Replicates that reached a steady state, as a share. */
  readonly settled: number;
  /** Requests that arrived in the windows of all replicates, and how many of them met every SLO. */
  readonly requests: number;
  readonly good?: number;
  /** Standard deviation of TTFT and TPOT over requests, ms; absent below two. */
  readonly ttft_std_ms?: number;
  readonly tpot_std_ms?: number;
  /** Period with which TTFT swings over the window, s (`metrics/fluctuation.ts`); absent where it does not. */
  readonly ttft_period_s?: number;
}

/** Means over the overloaded replicates. */
export interface OverloadSummary {
  /** Overloaded replicates, as a share. */
  readonly share: number;
  readonly arrived_rps: number;
  readonly served_rps: number;
  /** Growth of the queue over the second half of the window, requests/s, and its length at the end. */
  readonly growth_rps: number;
  readonly waiting: number;
}

export interface PoolSummary {
  readonly pool: 'prefill' | 'decode' | 'mixed';
  readonly ttft_ms?: Distribution;
  readonly tpot_ms?: Distribution;
}

export interface UseSummary {
  /** FLOPs that the model needs ÷ what the cards could do over the run by their data sheets; bytes likewise. */
  readonly mfu?: number;
  readonly bandwidth_share?: number;
  /** Upper bound: the data sheet's TDP while a pass runs, 12 % of it otherwise. */
  readonly energy_kwh?: number;
  /** Hourly cost of the instances × the run's length; absent where none was given. */
  readonly cost_usd?: number;
}

/** Sums over all replicates. */
export interface FleetSummary {
  /** GPU time paid for: from the start, or the decision to start, until off; down and starting instances included. */
  readonly gpu_hours: number;
  /** Requests that met every SLO per GPU-hour; absent where no SLO was given. */
  readonly good_per_gpu_hour?: number;
  readonly scale_ups: number;
  readonly scale_downs: number;
  readonly role_changes: number;
  readonly crashes: number;
  /** Requests that were on an instance when it went, those sent to one that was gone, and tokens of KV cache lost. */
  readonly lost_requests: number;
  readonly bounces: number;
  readonly lost_kv_tokens: number;
}
