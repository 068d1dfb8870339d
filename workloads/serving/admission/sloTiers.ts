import { prefillRate, sloTpotNs, sloTtftNs } from '../../routing/estimate.ts';
import { numberOf, type Telemetry, type VisibleRequest } from '../../routing/router.ts';
import type { Parameter } from '../../run/parameter.ts';
import type { Ns, Tokens } from '../../units.ts';
import {
  type Admission,
  type AdmissionContext,
  type AdmissionKind,
  type Passage,
  type Refusal,
  retryAfterNs,
} from './admission.ts';
import { DecodeTime } from './decodeTime.ts';
import { PoolLoads } from './load.ts';

const parameters: readonly Parameter[] = [
  {
    kind: 'integer',
    id: 'capacity',
    label: 'Capacity',
    group: 'policy',
    unit: 'requests',
    min: 0,
    max: 1_000_000,
    log: true,
    default: 0,
    help: 'Requests in flight over the whole cluster that are shared out between the tiers. 0: as many as can decode within the tightest TPOT objective, from profiles and the lengths seen so far.',
  },
];

/** What a prompt is taken to be before the first; then a mean, later an exponentially weighted one with this weight. */
const firstGuessTokens = 1000;
const alpha = 0.002;
const fewSequences = 16;
/** Of each objective this much may be filled: estimates are means, and the prompt itself must be computed too. */
const ttftShare = 0.8;
const tpotShare = 0.9;

/**
 * Tiers with reserved shares of two things that run out: requests in flight (what decoding bounds), and prompt tokens queued
 * (what computes within the TTFT objective). Of each, with the total C, a tier's reservation is R = share · C, and with u in use
 * by it a request that needs v more is let in
 *
 *   u_i + v ≤ R_i                           always: it uses what was kept for it
 *   Σ_j max(u_j + [j = i] v, R_j) ≤ C       where no reservation is touched
 *
 * So no more than C is in use, and every tier can use its reservation at any time, whatever the others send: what is idle of it is
 * never lent out. The totals come from profiles, measured rates and what is queued now, not from past TTFTs: they recover as
 * soon as the queue does, so nothing latches.
 */
class SloTiers implements Admission {
  private readonly context: AdmissionContext;
  private readonly loads: PoolLoads;
  private readonly given: number;
  private readonly decodeTime: DecodeTime;
  private readonly ttftNs: Ns;
  private readonly tpotNs: Ns;
  private meanPrompt: Tokens = firstGuessTokens;
  private seen = 0;
  /** Prompt tokens of each tier that were let in and are not yet computed, and of each such request. */
  private readonly queued: Float64Array;
  private readonly tokensOf = new Map<number, Tokens>();
  private decided: Tokens = 0;

  constructor(context: AdmissionContext) {
    const { cluster, tiers } = context;
    this.context = context;
    this.loads = new PoolLoads(cluster);
    this.given = numberOf(context.parameters, 'capacity', 0);
    this.decodeTime = new DecodeTime(context);
    // One queue and one batch serve all tiers: the tightest objective binds.
    this.ttftNs = Math.min(...tiers.map(({ slo }) => (slo.ttft_ms ?? sloTtftNs(cluster) / 1e6) * 1e6));
    this.tpotNs = Math.min(...tiers.map(({ slo }) => (slo.tpot_ms ?? sloTpotNs(cluster) / 1e6) * 1e6));
    this.queued = new Float64Array(tiers.length);
  }

  decide(request: VisibleRequest, tier: number, telemetry: Telemetry): Refusal | undefined {
    const { tiers, inFlight } = this.context;
    const share = (i: number): number => tiers[i]?.reserved ?? 0;
    const { promptTokens } = request;
    const capacity = this.given > 0 ? this.given : this.derivedCapacity(telemetry);
    // Afterwards: a long prompt must not shrink the capacity that it is judged by.
    this.meanPrompt += Math.max(alpha, 1 / ++this.seen) * (promptTokens - this.meanPrompt);
    const slots = (i: number): number => Math.floor(share(i) * capacity);
    if (!fits(inFlight, tier, 1, slots, capacity)) {
      // Requests end evenly over a decode time: one of `capacity` leaves after this long.
      return { reason: 'capacity', retryAfterNs: retryAfterNs(this.decodeTime.ns / Math.max(1, capacity)) };
    }
    const rate = this.prefillTokensPerNs(telemetry);
    const room = ttftShare * this.ttftNs * rate;
    this.decided = promptTokens - this.cached(request);
    // A prompt longer than all the room is admitted when no other waits: else it never would be.
    const alone = this.queued.every((tokens) => tokens === 0);
    if (!alone && !fits(this.queued, tier, this.decided, (i) => share(i) * room, room)) {
      return { reason: 'prefill_queue', retryAfterNs: retryAfterNs(this.decided / rate) };
    }
    return undefined;
  }

  private cached(request: VisibleRequest): Tokens {
    let most = 0;
    for (const i of this.loads.prompts) most = Math.max(most, request.cachedTokens[i] ?? 0);
    return Math.min(most, request.promptTokens - 1);
  }

  private prefillTokensPerNs(telemetry: Telemetry): number {
    let sum = 0;
    for (const i of this.loads.prompts) sum += prefillRate(this.context.cluster, telemetry, i);
    return sum / 1e9;
  }

  /** Of the sequences that decode now (long ones are seen more often); a guess before there are any. */
  private meanContext(telemetry: Telemetry): Tokens {
    let sequences = 0;
    let context = 0;
    for (const i of this.loads.decoders) {
      sequences += telemetry.decoding[i] ?? 0;
      context += telemetry.decodeContext[i] ?? 0;
    }
    return sequences >= fewSequences ? context / sequences : this.meanPrompt + this.decodeTime.tokens / 2;
  }

  /** Sequences that decode within the objective at the lengths seen, and fit into memory and batches. */
  private derivedCapacity(telemetry: Telemetry): number {
    const { cluster } = this.context;
    const length = this.meanContext(telemetry);
    let sum = 0;
    for (const i of this.loads.decoders) {
      const first = cluster.profiledDecodeNs[i] ?? 0;
      const more = (cluster.profiledPerSequenceNs[i] ?? 0) + (cluster.profiledPerContextNs[i] ?? 0) * length;
      const inTime = more > 0 ? 1 + (tpotShare * this.tpotNs - first) / more : Number.POSITIVE_INFINITY;
      const inMemory = ((telemetry.kvTotal[i] ?? 0) * cluster.blockTokens) / length;
      sum += Math.max(1, Math.min(inTime, inMemory, cluster.maxSequences));
    }
    return Math.floor(sum);
  }

  admitted({ request, tier }: Passage): void {
    this.tokensOf.set(request, this.decided);
    this.queued[tier] = (this.queued[tier] ?? 0) + this.decided;
  }
  firstToken({ request, tier, at }: Passage): void {
    this.computed(request, tier);
    this.decodeTime.began(request, at);
  }
  left({ request, tier, at }: Passage, generated: Tokens): void {
    this.computed(request, tier);
    this.decodeTime.ended(request, at, generated);
  }
  private computed(request: number, tier: number): void {
    const tokens = this.tokensOf.get(request);
    if (tokens === undefined) return;
    this.tokensOf.delete(request);
    this.queued[tier] = (this.queued[tier] ?? 0) - tokens;
  }
}

/** Whether `more` for tier i stays within its reservation, or within what is not reserved. */
function fits(
  used: ArrayLike<number>,
  i: number,
  more: number,
  reserved: (tier: number) => number,
  total: number,
): boolean {
  const mine = (used[i] ?? 0) + more;
  if (mine <= reserved(i)) return true;
  let spoken = 0;
  for (let j = 0; j < used.length; j++) spoken += Math.max(j === i ? mine : (used[j] ?? 0), reserved(j));
  return spoken <= total;
}

export const sloTiers: AdmissionKind = {
  id: 'slo_tiers',
  label: 'SLO tiers',
  help: 'A share of the requests in flight and of the prefill queue is kept for each tier; the rest is first come, first served.',
  parameters,
  reasons: [
    { id: 'capacity', meaning: 'as many requests in flight as the tier may have' },
    {
      id: 'prefill_queue',
      meaning: 'as many prompt tokens queued as the tier may have, to be computed in time',
    },
  ],
  create: (context) => new SloTiers(context),
};
