import type { Profile } from '../cost/costModels.ts';
import type { PoolRole } from '../run/poolRole.ts';
import type { Tokens } from '../units.ts';

/** What one request asks for, on average. */
export interface RequestWork {
  /** Prompt tokens that no cache has. */
  readonly prompt: Tokens;
  readonly output: Tokens;
  /** Context while it decodes. */
  readonly context: Tokens;
}

export interface InstanceLimits {
  readonly profile: Profile;
  readonly kvTokens: Tokens;
  readonly maxSequences: number;
}

export interface Objectives {
  readonly ttftNs: number;
  readonly tpotNs: number;
}

/**
 * Requests per second at which one instance keeps the objectives, predicted from its profile and mean lengths:
 *
 *   prefill  TTFT = s + s ρ/(2 (1 − ρ)), s = prompt/rate, ρ = λ s: an M/D/1 queue (Pollaczek–Khinchine) and the own prompt
 *   decode   TPOT = pass time d(b) of b sequences, b as many as fit; λ = b/(output × TPOT) by Little's law
 *   mixed    TPOT = d(b) + b × prompt/(output × rate): each output token brings its share of a prompt along; and the TTFT
 *
 * 0 where even a request alone misses them. Lengths that vary, and bursts, need room beside it: `target_load`.
 */
export function capacityOf(
  pool: PoolRole,
  instance: InstanceLimits,
  work: RequestWork,
  { ttftNs, tpotNs }: Objectives,
): number {
  const { profile } = instance;
  const promptNs = (work.prompt / profile.prefillRate) * 1e9;
  const wait = (2 * (ttftNs - promptNs)) / promptNs;
  const byTtft = wait <= 0 ? 0 : ((wait / (1 + wait)) * 1e9) / promptNs;
  if (pool === 'prefill') return byTtft;
  const share = pool === 'mixed' ? promptNs / work.output : 0;
  const most = Math.min(instance.maxSequences, Math.floor(instance.kvTokens / work.context));
  const perSequence = profile.perSequenceNs + profile.perContextNs * work.context + share;
  const alone = profile.decodeNs - profile.perSequenceNs;
  const sequences = Math.min(most, Math.floor((tpotNs - alone) / perSequence));
  if (sequences < 1) return 0;
  const byTpot = (sequences * 1e9) / (work.output * (alone + perSequence * sequences));
  return pool === 'mixed' ? Math.min(byTpot, byTtft) : byTpot;
}
