import { InputError } from '../run/inputError.ts';
import type { Random } from '../run/random.ts';
import type { LengthSpec } from '../run/spec.ts';
import type { Tokens } from '../units.ts';
import { maxTokens } from './trafficBuilder.ts';

/** Checks what the schema cannot: an empty range. `where` names the parameter. */
export function checkLengths(where: string, spec: LengthSpec): void {
  if (spec.kind === 'fixed') {
    if (spec.value > maxTokens)
      throw new InputError(`${where}: ${spec.value} tokens, expected at most ${maxTokens}`);
    return;
  }
  if (spec.min > spec.max) {
    throw new InputError(`${where}: min ${spec.min} is above max ${spec.max} tokens, expected min ≤ max`);
  }
  if (spec.max > maxTokens)
    throw new InputError(`${where}: max ${spec.max} tokens, expected at most ${maxTokens}`);
}

/** One length. A log-normal draw outside min … max takes the limit itself: the tail is not drawn again. */
export function drawLength(spec: LengthSpec, random: Random): Tokens {
  switch (spec.kind) {
    case 'fixed':
      return spec.value;
    case 'uniform':
      return random.integer(spec.min, spec.max);
    case 'lognormal':
      return logNormal(random, spec.median, spec.sigma, spec.min, spec.max);
    default: {
      const never: never = spec;
      return never;
    }
  }
}

export function logNormal(random: Random, median: Tokens, sigma: number, min: Tokens, max: Tokens): Tokens {
  return Math.min(max, Math.max(min, Math.round(median * Math.exp(sigma * random.gaussian()))));
}

/** For names: `512`, `100–1,200`, `~600 (σ 1.1)`. */
export function describeLengths(spec: LengthSpec): string {
  switch (spec.kind) {
    case 'fixed':
      return `${spec.value}`;
    case 'uniform':
      return `${spec.min}–${spec.max}`;
    case 'lognormal':
      return `~${spec.median} (σ ${spec.sigma})`;
    default: {
      const never: never = spec;
      return never;
    }
  }
}
