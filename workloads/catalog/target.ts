import type { Parameter, ParameterValues } from '../run/parameter.ts';
import type { EngineId, RunSpec, TrafficSpec } from '../run/spec.ts';

export interface Variant {
  /** `baseline`, `optimized`, or a named policy. */
  readonly id: string;
  readonly label: string;
  /** One sentence: what it does differently. */
  readonly description: string;
}

/** What ties the outputs of two variants: run after both, over all elements. */
export interface Verification {
  readonly status: 'passed' | 'failed' | 'not_applicable';
  /** One sentence: what was compared, over how many elements, with which tolerance. */
  readonly method: string;
  /** First difference, where there is one. */
  readonly detail?: string;
}

/** One file in this folder per target; the catalogue (`catalog.ts`) lists them. */
export interface Target {
  /** `ch17:dynamic_routing`, `labs/dynamic_router:dynamic_router` */
  readonly id: string;
  readonly chapter: string;
  readonly title: string;
  readonly summary: string;
  /** The lesson, markdown: what to look at, what the original claimed, what holds. */
  readonly lesson: string;
  /** Ids of the metrics that the lesson is about, `ttft_ms` for any statistic of it: a verdict says these first. */
  readonly claims?: readonly string[];
  /** Where the baseline is left untuned: the tuned variant to compare with as well, and what the baseline leaves. */
  readonly fairBaseline?: { readonly insteadOf: string; readonly variant: string; readonly why: string };
  /** Replicates with which the lesson's claim is outside the noise; absent: one. */
  readonly replicates?: number;
  readonly variants: readonly Variant[];
  readonly parameters: readonly Parameter[];
  /**
   * Makes the whole run spec, for the simulator, from chosen parameter values (validated, defaults filled in).
   * `traffic` replaces the traffic that the parameters describe (a trace file from the command line or the window).
   * Throws InputError where the values contradict each other.
   */
  spec(request: {
    readonly variant: string;
    readonly engine: EngineId;
    readonly parameters: ParameterValues;
    readonly traffic?: TrafficSpec;
    readonly seed: number;
    readonly iterations: number;
  }): RunSpec;
}
