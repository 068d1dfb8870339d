import type { RunSpec, TrafficSpec } from '../run/spec.ts';

/**
 * Whether what a simulated run puts out follows from what goes in: a target that ignores its input, or that draws from the
 * clock, is found by running it again.
 *
 *   repeat       the same spec: every figure the same
 *   fresh_seed   other random draws: some figure differs
 *   jitter       the traffic moved by 1 %: some figure differs
 */
export type InputCheckId = 'repeat' | 'fresh_seed' | 'jitter';

export interface InputCheck {
  readonly variant: string;
  readonly check: InputCheckId;
  readonly status: 'passed' | 'failed' | 'not_applicable';
  readonly detail: string;
}

export interface PlannedInputCheck {
  readonly check: InputCheckId;
  readonly spec: RunSpec;
}

const seedStep = 1000;
const jitterShare = 1.01;

/** The runs that the checks of one spec take; a recorded trace has no draws of its own, so its seed is not varied. */
export function plannedInputChecks(spec: RunSpec): readonly PlannedInputCheck[] {
  const { traffic } = spec;
  return [
    { check: 'repeat', spec },
    ...(traffic.kind === 'trace'
      ? []
      : [{ check: 'fresh_seed' as const, spec: { ...spec, seed: (spec.seed + seedStep) >>> 0 } }]),
    { check: 'jitter', spec: { ...spec, traffic: jittered(traffic) } },
  ];
}

/** Gaps of a trace become 1 % shorter, prompts of generated traffic 1 % longer. */
function jittered(traffic: TrafficSpec): TrafficSpec {
  switch (traffic.kind) {
    case 'trace':
    case 'synthetic':
      return { ...traffic, speedup: traffic.speedup * jitterShare };
    case 'open':
    case 'closed':
    case 'lab':
      return { ...traffic, prompt: longer(traffic.prompt) };
  }
}

type Lengths = Extract<TrafficSpec, { readonly kind: 'open' }>['prompt'];

function longer(lengths: Lengths): Lengths {
  const more = (tokens: number): number => Math.max(tokens + 1, Math.round(tokens * jitterShare));
  switch (lengths.kind) {
    case 'fixed':
      return { ...lengths, value: more(lengths.value) };
    case 'uniform':
      return { ...lengths, max: more(lengths.max) };
    case 'lognormal':
      return { ...lengths, median: lengths.median * jitterShare };
  }
}

type Figures = ReadonlyMap<string, number>;

/** Judges a run made again against the first one, by all figures of their summaries. */
export function judgedInputCheck(
  variant: string,
  check: InputCheckId,
  first: Figures,
  again: Figures,
): InputCheck {
  const ids = new Set([...first.keys(), ...again.keys()]);
  const moved = [...ids].filter((id) => !Object.is(first.get(id), again.get(id)));
  const wanted = check === 'repeat' ? moved.length === 0 : moved.length > 0;
  return {
    variant,
    check,
    status: wanted ? 'passed' : 'failed',
    detail:
      moved.length === 0
        ? `all ${ids.size} figures are the same`
        : `${moved.length} of ${ids.size} figures differ, ${moved[0]} first`,
  };
}
