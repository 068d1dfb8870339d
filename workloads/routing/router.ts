import type { Parameter, ParameterValues } from '../run/parameter.ts';
import type { Random } from '../run/random.ts';
import type { PoolRole, SloSpec } from '../run/spec.ts';
import type { Bytes, Ns, Tokens } from '../units.ts';

/**
 * What a router sees of the instances: columns, one entry per instance, as they were at `takenNs`. With a refresh interval
 * this is old news; `sent…` counts what this router itself has sent since then, which it knows without being told.
 */
export interface Telemetry {
  readonly instances: number;
  /** Time of the snapshot. */
  takenNs: Ns;
  /** Requests that wait for their first scheduling. */
  readonly waiting: Float64Array;
  /** Requests in the batch. */
  readonly running: Float64Array;
  /** Prompt tokens that wait or are being computed. */
  readonly pendingPrefill: Float64Array;
  readonly decoding: Float64Array;
  readonly decodeContext: Float64Array;
  readonly kvUsed: Float64Array;
  readonly kvTotal: Float64Array;
  /** Measured over the last passes with prompt tokens, tokens/s; NaN before the first. */
  readonly prefillRate: Float64Array;
  /** Time of the last pass that decoded, ns; NaN before the first. */
  readonly decodePassNs: Float64Array;
  /** Exponentially weighted TTFT of the requests whose prompt was computed here, ms; 0 before the first. */
  readonly ttftMs: Float64Array;
  /** Exponentially weighted tokens per second from decoding, while busy; 0 before the first. */
  readonly tokensPerSecond: Float64Array;
  readonly sentRequests: Float64Array;
  readonly sentPromptTokens: Float64Array;
}

/**
 * The instances that take new requests, as far as the router knows: those that are down, draining or off are not among them.
 * A new `version` says that something changed, here or in the roles.
 */
export interface Membership {
  readonly version: number;
  /** 1 where the instance takes requests. */
  readonly takes: Uint8Array;
}

/** What an operator configures or profiles once. Roles change only with the membership's version. */
export interface ClusterView {
  readonly instances: number;
  readonly role: readonly PoolRole[];
  /** Size of each instance's model, as its index from the smallest; absent where all serve the same. */
  readonly modelRank?: Int32Array;
  /** Absent where all instances serve all the time. */
  readonly membership?: Membership;
  /** Prompt tokens per second of a full batch with empty context. */
  readonly profiledPrefillRate: Float64Array;
  /** Time of a decode pass of one sequence, and what each further sequence and each context token adds, ns. */
  readonly profiledDecodeNs: Float64Array;
  readonly profiledPerSequenceNs: Float64Array;
  readonly profiledPerContextNs: Float64Array;
  readonly hourlyCost: Float64Array;
  readonly kvBytesPerToken: Bytes;
  readonly blockTokens: Tokens;
  readonly maxBatchedTokens: Tokens;
  readonly maxSequences: number;
  readonly linkBytesPerSec: number;
  readonly linkLatencyNs: Ns;
  readonly slo: SloSpec;
}

/** Prompt tokens per instance that it could fetch: from host memory or peers, and from disk. */
export interface TierTokens {
  readonly host: Float64Array;
  readonly disk: Float64Array;
}

/** What a router may know of a request: never how long its answer will be. One object, filled anew for each decision. */
export interface VisibleRequest {
  request: number;
  nowNs: Ns;
  arrivalNs: Ns;
  promptTokens: Tokens;
  /** Tokens that must be in the KV cache where decoding goes on; the prompt plus what was generated. */
  contextTokens: Tokens;
  priority: number;
  /** absentInt32 where the traffic knows no sessions. */
  session: number;
  blocks: number;
  /** How hard a classifier holds it to be: the index of the smallest model that will do; undefined where there is none. */
  complexity?: number | undefined;
  /** Instance that holds the request's KV cache, −1 before the prompt was computed. */
  holder: number;
  /** Per instance: prompt tokens found in its prefix cache, filled only for routers that need it. */
  readonly cachedTokens: Float64Array;
  /** The same of what follows in tiers below its HBM, for routers that ask; absent where the cluster has none. */
  readonly tierTokens?: TierTokens;
}

/** Where a router writes its reasons: one row per instance, one column per term. Higher totals win. */
export class ScoreSheet {
  readonly total: Float64Array;
  readonly terms: Float64Array;
  readonly termCount: number;
  /** 1 where the instance was a candidate. */
  readonly candidate: Uint8Array;

  constructor(instances: number, terms: number) {
    this.total = new Float64Array(instances);
    this.terms = new Float64Array(instances * terms);
    this.candidate = new Uint8Array(instances);
    this.termCount = terms;
  }

  clear(): void {
    this.candidate.fill(0);
    this.total.fill(Number.NaN);
    this.terms.fill(Number.NaN);
  }

  set(instance: number, term: number, value: number): void {
    this.terms[instance * this.termCount + term] = value;
  }
}

/** A decoding request as a migration planner sees it: columns over the active requests of one cluster. */
export interface ActiveRequests {
  count: number;
  readonly request: Int32Array;
  readonly instance: Int32Array;
  readonly contextTokens: Float64Array;
  readonly generated: Float64Array;
  readonly priority: Uint8Array;
  /** Last time the request moved; −Infinity if never. */
  readonly movedNs: Float64Array;
}

export interface Router {
  /** Which instance computes the prompt. */
  prefill(request: VisibleRequest, telemetry: Telemetry, sheet: ScoreSheet): number;
  /** The instance from whose HBM the prompt that `prefill` placed last fetches its prefix; −1 for none. */
  fetchFrom?(): number;
  /** Which instance decodes, asked when the prompt is computed; the holder means: stay. Absent: stay. */
  decode?(request: VisibleRequest, telemetry: Telemetry, sheet: ScoreSheet): number;
  /**
   * Decoding requests to move, asked every `migrationIntervalNs`. For each move the sheet is filled (its own instance is a
   * candidate too) and `move` called; false means that the move cannot be made.
   */
  migrate?(
    nowNs: Ns,
    active: ActiveRequests,
    telemetry: Telemetry,
    sheet: ScoreSheet,
    move: (request: number, to: number) => boolean,
  ): void;
}

export interface RouterTerm {
  readonly id: string;
  readonly meaning: string;
}

export interface RouterContext {
  readonly cluster: ClusterView;
  readonly parameters: ParameterValues;
  readonly random: Random;
}

/** One file per policy in this folder; `routers.ts` lists them. */
export interface RouterKind {
  readonly id: string;
  readonly label: string;
  readonly help: string;
  readonly terms: readonly RouterTerm[];
  readonly parameters: readonly Parameter[];
  /** What it looks at: what it does not need is not collected. */
  readonly needs: { readonly telemetry: boolean; readonly prefix: boolean; readonly tiers?: boolean };
  /** Whether mixed instances, too, ask where to decode. */
  asksWhereToDecode?(parameters: ParameterValues): boolean;
  /** Interval of migration planning; 0 or absent: never. */
  migrationIntervalNs?(parameters: ParameterValues): Ns;
  /** Prompts may fetch their prefix from another instance before they queue (`Router.fetchFrom`). */
  fetchesPrefixes?(parameters: ParameterValues): boolean;
  create(context: RouterContext): Router;
}

export const numberOf = (parameters: ParameterValues, id: string, fallback: number): number => {
  const value = parameters[id];
  return typeof value === 'number' ? value : fallback;
};

export const textOf = (parameters: ParameterValues, id: string, fallback: string): string => {
  const value = parameters[id];
  return typeof value === 'string' ? value : fallback;
};

export const flagOf = (parameters: ParameterValues, id: string, fallback: boolean): boolean => {
  const value = parameters[id];
  return typeof value === 'boolean' ? value : fallback;
};
