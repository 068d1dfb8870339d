import type { Parameter } from '../../catalog/parameter.ts';
import { sloTpotNs, sloTtftNs } from '../../routing/estimate.ts';
import { numberOf, type Telemetry, type VisibleRequest } from '../../routing/router.ts';
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

/** Weight of the newest prompt in the mean that the derived capacity rests on. */
const alpha = 0.01;

/**
 * Tiers with reserved shares of the requests in flight. With the capacity C, a tier's reservation R = ⌊share · C⌋ and n requests
 * of it in flight, a request of tier i is let in
 *
 *   n_i < R_i                                        always: it uses what was kept for it
 *   Σ_j max(n_j, R_j) + 1 ≤ C  and TTFT ≤ objective  where nobody's reservation is touched and the answer comes in time
 *
 * So Σ n ≤ C, and every tier can use its reservation at any time, whatever the others send: what is not in use of it is never
 * lent out. Estimates come from telemetry (queued tokens ÷ measured rate) and not from past TTFTs: they fall as the queue does,
 * so nothing latches.
 */
class SloTiers implements Admission {
  private readonly context: AdmissionContext;
  private readonly loads: PoolLoads;
  private readonly given: number;
  private readonly decodeTime: DecodeTime;
  private readonly tightestTpotNs: Ns;
  private meanPrompt: Tokens = 0;

  constructor(context: AdmissionContext) {
    this.context = context;
    this.loads = new PoolLoads(context.cluster);
    this.given = numberOf(context.parameters, 'capacity', 0);
    this.decodeTime = new DecodeTime(context);
    const own = context.tiers.flatMap((tier) => (tier.slo.tpot_ms === undefined ? [] : [tier.slo.tpot_ms]));
    this.tightestTpotNs = own.length > 0 ? Math.min(...own) * 1e6 : sloTpotNs(context.cluster);
  }

  decide(request: VisibleRequest, tier: number, telemetry: Telemetry): Refusal | undefined {
    const { tiers, inFlight, cluster } = this.context;
    this.meanPrompt =
      this.meanPrompt === 0
        ? request.promptTokens
        : this.meanPrompt + alpha * (request.promptTokens - this.meanPrompt);
    const capacity = this.given > 0 ? this.given : this.derivedCapacity(telemetry);
    const reserved = (i: number): number => Math.floor((tiers[i]?.reserved ?? 0) * capacity);
    const mine = inFlight[tier] ?? 0;
    if (mine < reserved(tier)) return undefined;
    let spoken = 1;
    for (let i = 0; i < tiers.length; i++) spoken += Math.max(inFlight[i] ?? 0, reserved(i));
    if (spoken > capacity) {
      // Requests end evenly over a decode time: one of `capacity` leaves after this long.
      return { reason: 'capacity', retryAfterNs: retryAfterNs(this.decodeTime.ns / Math.max(1, capacity)) };
    }
    const limit = (tiers[tier]?.slo.ttft_ms ?? sloTtftNs(cluster) / 1e6) * 1e6;
    const ttft = this.loads.ttftNsOf(request, telemetry);
    return ttft > limit ? { reason: 'ttft', retryAfterNs: retryAfterNs(ttft - limit) } : undefined;
  }

  /** Sequences that decode within the objective at the lengths seen, and fit into memory and batches. */
  private derivedCapacity(telemetry: Telemetry): number {
    const { cluster } = this.context;
    const length = this.meanPrompt + this.decodeTime.tokens / 2;
    let sum = 0;
    for (const i of this.loads.decoders) {
      const first = cluster.profiledDecodeNs[i] ?? 0;
      const more = (cluster.profiledPerSequenceNs[i] ?? 0) + (cluster.profiledPerContextNs[i] ?? 0) * length;
      const inTime = more > 0 ? 1 + (this.tightestTpotNs - first) / more : Number.POSITIVE_INFINITY;
      const inMemory = ((telemetry.kvTotal[i] ?? 0) * cluster.blockTokens) / length;
      sum += Math.max(1, Math.min(inTime, inMemory, cluster.maxSequences));
    }
    return Math.floor(sum);
  }

  firstToken(passage: Passage): void {
    this.decodeTime.began(passage.request, passage.at);
  }
  left(passage: Passage, generated: Tokens): void {
    this.decodeTime.ended(passage.request, passage.at, generated);
  }
}

export const sloTiers: AdmissionKind = {
  id: 'slo_tiers',
  label: 'SLO tiers',
  help: 'A share of the capacity is kept for each tier; the rest goes to whoever comes first and can still be answered in time.',
  parameters,
  reasons: [
    { id: 'capacity', meaning: 'the tier has used up its reservation and nothing unreserved is left' },
    { id: 'ttft', meaning: 'beyond the reservation, and the first token would miss the tier’s objective' },
  ],
  create: (context) => new SloTiers(context),
};
