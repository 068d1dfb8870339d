import type { ClusterView, Telemetry, VisibleRequest } from '../../routing/router.ts';
import type { Parameter, ParameterValues } from '../../run/parameter.ts';
import type { Random } from '../../run/random.ts';
import type { SloSpec } from '../../run/spec.ts';
import type { Fraction, Ns, Tokens } from '../../units.ts';

/** A service class as a policy sees it; the run's objectives are filled in where the tier has none of its own. */
export interface Tier {
  readonly name: string;
  readonly slo: SloSpec;
  /** Share of the capacity that is this tier's. */
  readonly reserved: Fraction;
}

/** Why a request was turned away, and when its client may try again. */
export interface Refusal {
  /** One of the policy's `reasons`. */
  readonly reason: string;
  readonly retryAfterNs: Ns;
}

export interface AdmissionContext {
  readonly cluster: ClusterView;
  readonly tiers: readonly Tier[];
  readonly parameters: ParameterValues;
  readonly random: Random;
  /** Requests of each tier that were let in and have not left; kept by the desk. */
  readonly inFlight: Int32Array;
}

/** What the gateway knows of a request that it let in, whose stream passes through it. One object, filled anew each time. */
export interface Passage {
  request: number;
  tier: number;
  promptTokens: Tokens;
  at: Ns;
}

/**
 * Lets requests in or turns them away, before they are routed. It sees what a gateway sees: the request's length and tier,
 * telemetry, and the first token and the end of what it let in. Never how long an answer will be.
 */
export interface Admission {
  decide(request: VisibleRequest, tier: number, telemetry: Telemetry): Refusal | undefined;
  /** Asked once more when the prompt is computed and is about to move to a decode instance. Absent: it moves. */
  decideDecode?(request: VisibleRequest, tier: number, telemetry: Telemetry): Refusal | undefined;
  admitted?(passage: Passage): void;
  firstToken?(passage: Passage, ttftMs: number): void;
  /** The last token, or the request was given up; how many tokens it had been given by then. */
  left?(passage: Passage, generated: Tokens, tpotMs: number): void;
}

/** One file per policy in this folder; `admissions.ts` lists them. */
export interface AdmissionKind {
  readonly id: string;
  readonly label: string;
  readonly help: string;
  readonly parameters: readonly Parameter[];
  readonly reasons: readonly { readonly id: string; readonly meaning: string }[];
  create(context: AdmissionContext): Admission;
}

/** What a refused client is told: not sooner than a tenth of a second, not later than a minute. */
export const retryAfterNs = (ns: Ns): Ns => Math.round(Math.min(60e9, Math.max(100e6, ns)));
