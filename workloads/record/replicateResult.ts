import type { Sketch } from '../metrics/sketch.ts';
import type { PrefixFetchSummary } from '../run/tierSummary.ts';
import type { Replica } from '../serving/replica.ts';
import type { RequestTable } from '../serving/requestTable.ts';
import type { Tiers } from '../serving/tiers/tiers.ts';
import type { Bytes, Ns } from '../units.ts';

/** What an expert group did over a run; times in ns, weights by pass. */
export interface MoeTotals {
  passes: number;
  tokens: number;
  passNs: number;
  expertNs: number;
  meanExpertNs: number;
  exchangeNs: number;
  exposedNs: number;
  /** Σ over passes of tokens × the figure of one sparse layer. */
  expertImbalance: number;
  rankImbalance: number;
  dropped: number;
  offIsland: number;
  /** Σ over passes of the busiest data-parallel rank's tokens. */
  busiestTokens: number;
}

/** What the stages of a pipeline did over a run. */
export interface PipelineTotals {
  /** Time with at least one micro-batch in the line. */
  activeNs: number;
  /** Σ over stages of the time with a micro-batch in them. */
  busyNs: number;
  microBatches: number;
}

/** Expert groups and pipelines among the replicas. */
export interface CouplingTotals {
  readonly groups: readonly { readonly totals: MoeTotals; readonly ranks: number }[];
  readonly lines: readonly { readonly totals: PipelineTotals; readonly stages: number }[];
}

/** What happened to the members of the cluster. */
export interface FleetTotals {
  gpuSeconds(end: Ns): number;
  readonly scaleUps: number;
  readonly scaleDowns: number;
  readonly roleChanges: number;
  readonly crashes: number;
  readonly lost: number;
  readonly bounces: number;
  readonly lostKvTokens: number;
}

/** What the admission desk counted. */
export interface DeskTotals {
  readonly refusals: number;
  readonly refusalsByReason: readonly number[];
  readonly retried: number;
  readonly load: { readonly prefill: readonly number[]; readonly decode: readonly number[] };
}

/** A replicate at its end, as the totals read it. */
export interface ReplicateResult {
  readonly requests: RequestTable;
  readonly replicas: readonly Replica[];
  readonly itlMs: Sketch;
  readonly clock: Ns;
  readonly lastFinish: Ns;
  readonly done: boolean;
  /** The first so many requests have arrived, but for turns that wait for an answer (`requests.came`). */
  readonly arrived: number;
  readonly completed: number;
  readonly rejected: number;
  /** Requests that a replica took and lost. */
  readonly failures: number;
  readonly transfers: number;
  readonly transferBytes: Bytes;
  readonly couplings: CouplingTotals;
  readonly sampleStepNs: Ns;
  readonly prefixFetches: { readonly summary: PrefixFetchSummary } | undefined;
  readonly tiers: Tiers | undefined;
  readonly fleet: FleetTotals | undefined;
  readonly desk: DeskTotals | undefined;
  /** Class of each request; undefined where the spec names no scheduler policy. */
  readonly scheduling: { readonly classOf: Uint8Array } | undefined;
}
