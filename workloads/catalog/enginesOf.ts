import { type Capability, capabilities } from '../run/capability.ts';
import { needsOf } from '../run/needs.ts';
import { offers } from '../run/offers.ts';
import { type EngineId, engineId } from '../run/spec.ts';
import type { Target } from './target.ts';

/** Whether an engine can run a target, by variant. */
export interface EngineFit {
  readonly engine: EngineId;
  /** Variants that run there with their default parameters. */
  readonly variants: readonly string[];
  /** Variants that do not, and the first thing that the engine lacks for each. */
  readonly refused: readonly { readonly variant: string; readonly missing: Capability }[];
}

const known = new Map<Target, readonly EngineFit[]>();

/** What each engine makes of a target. Engines that this build lacks are left out. */
export function engineFits(target: Target): readonly EngineFit[] {
  const before = known.get(target);
  if (before !== undefined) return before;
  const needs = target.variants.map(({ id }) => {
    const spec = target.spec({ variant: id, engine: 'sim', parameters: {}, seed: 0, iterations: 1 });
    return { variant: id, needs: [...needsOf(spec)] };
  });
  const fits = engineId.options.flatMap((engine) => {
    const offered = offers[engine];
    if (offered === undefined) return [];
    const refused = needs.flatMap(({ variant, needs: own }) => {
      const missing = own.find((need) => !offered.has(need));
      return missing === undefined ? [] : [{ variant, missing }];
    });
    const variants = target.variants
      .map(({ id }) => id)
      .filter((id) => !refused.some(({ variant }) => variant === id));
    return [{ engine, variants, refused }];
  });
  known.set(target, fits);
  return fits;
}

/** Engines on which a target can compare at least two variants, or run its only one. */
export const enginesOf = (target: Target): readonly EngineId[] =>
  engineFits(target)
    .filter(({ variants }) => variants.length >= Math.min(2, target.variants.length))
    .map(({ engine }) => engine);

/** Why a target does not run on an engine, in one sentence; undefined where it does. */
export function whyNot(target: Target, engine: EngineId): string | undefined {
  if (enginesOf(target).includes(engine)) return undefined;
  const fit = engineFits(target).find((each) => each.engine === engine);
  const [first] = fit?.refused ?? [];
  return first === undefined
    ? `this build serves no requests on engine ${engine}`
    : `engine ${engine} has no ${capabilities[first.missing]}`;
}
