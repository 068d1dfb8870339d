import { quantile } from '../../metrics/percentile.ts';
import type { Telemetry, VisibleRequest } from '../../routing/router.ts';
import type { Random } from '../../run/random.ts';
import type { Fraction, Ms, Tokens } from '../../units.ts';
import type { Admission, AdmissionContext, AdmissionKind, Passage, Refusal } from './admission.ts';

interface PublishedTier {
  readonly ttftMs: Ms;
  readonly mostConcurrent: number;
  readonly multiplier: number;
}
export const publishedTiers: readonly [PublishedTier, PublishedTier, PublishedTier] = [
  { ttftMs: 200, mostConcurrent: 50, multiplier: 0.9 },
  { ttftMs: 500, mostConcurrent: 100, multiplier: 1 },
  { ttftMs: 1000, mostConcurrent: 200, multiplier: 1.1 },
];
const free = 2;
const alpha = 0.1;
const highLoad = 0.8;
const windowSize = 100;
const unhealthyMs = 1.5 * 500;
const memoryPressure = 0.9;

export type PublishedReason = 'capacity_limit' | 'slo_violation' | 'high_load' | 'system_health';

/**
 * The published lab's QoS controller, rule by rule, so that its lesson can be shown:
 *
 *   estimate = (Qp · avg prefill + Qd · avg decode) · clamp(prompt/100, 1, 5) · min(3, 1 + load) · multiplier    in [1, 10,000] ms
 *   after each answer   avg prefill ← 0.9 avg prefill + 0.1 TTFT      avg decode ← 0.9 avg decode + 0.1 TPOT
 *
 * A TTFT already holds the wait behind Qp others, and is multiplied by Qp again: estimates feed on themselves. Nothing brings
 * them down but answers, and whom they shut out gives none: the averages, and the window of the last 100 TTFTs that the
 * health check reads, stand still. "Memory pressure" is a random number, as it was.
 * Times count in units of the standard tier's objective (500 ms in the lab), so that other objectives do not change the rules.
 * Source: the lab's early_rejection.py, class QoSController; constants as there.
 */
export class PublishedController {
  averagePrefillMs: Ms;
  averageDecodeMs: Ms;
  private readonly random: Random;
  private readonly unit: number;
  /** The last 100 TTFTs, a ring. */
  private readonly ttfts = new Float64Array(windowSize);
  private seen = 0;

  /** `unit`: the standard tier's TTFT objective ÷ 500 ms, in which every time constant is counted; 1 as published. */
  constructor(random: Random, unit = 1) {
    this.random = random;
    this.unit = unit;
    this.averagePrefillMs = 50 * unit;
    this.averageDecodeMs = 10 * unit;
  }

  estimateMs(prompt: Tokens, tier: number, prefillQueue: number, decodeQueue: number, load: Fraction): Ms {
    const base = prefillQueue * this.averagePrefillMs + decodeQueue * this.averageDecodeMs;
    const length = Math.min(5, Math.max(1, prompt / 100));
    const multiplier = publishedTiers[Math.min(tier, free)]?.multiplier ?? 1;
    const estimate = base * length * Math.min(3, 1 + load) * multiplier;
    return Math.min(10_000 * this.unit, Math.max(this.unit, estimate));
  }

  /** The reason, or undefined where the request is let in. */
  refuses(
    prompt: Tokens,
    tier: number,
    concurrent: number,
    prefillQueue: number,
    decodeQueue: number,
    load: Fraction,
  ): PublishedReason | undefined {
    const rules = publishedTiers[Math.min(tier, free)] ?? publishedTiers[free];
    if (concurrent >= rules.mostConcurrent) return 'capacity_limit';
    if (this.estimateMs(prompt, tier, prefillQueue, decodeQueue, load) > rules.ttftMs * this.unit) {
      if (tier >= free) return 'slo_violation';
      if (tier > 0 && load > highLoad) return 'high_load';
    }
    const samples = Math.min(this.seen, windowSize);
    if (
      tier >= free &&
      samples > 10 &&
      quantile(this.ttfts.subarray(0, samples), 0.95) > unhealthyMs * this.unit
    ) {
      return 'system_health';
    }
    return this.random.uniform() > memoryPressure && tier > 0 ? 'system_health' : undefined;
  }

  answered(ttftMs: Ms, tpotMs: Ms): void {
    this.ttfts[this.seen++ % windowSize] = ttftMs;
    this.averagePrefillMs += alpha * (ttftMs - this.averagePrefillMs);
    // A single token has no TPOT.
    if (!Number.isNaN(tpotMs)) this.averageDecodeMs += alpha * (tpotMs - this.averageDecodeMs);
  }
}

/** Its own simulation made the load up; here it is the share of the three tiers' concurrency that is in use. */
const mostInFlight = publishedTiers.reduce((sum, tier) => sum + tier.mostConcurrent, 0);
/** The original says nothing about when to come back. */
const retryAfterNs = 1e9;

class AsPublished implements Admission {
  private readonly controller: PublishedController;
  private readonly inFlight: Int32Array;
  private readonly ttftMs = new Map<number, Ms>();

  constructor({ random, inFlight, tiers, cluster }: AdmissionContext) {
    const standardMs = (tiers[1] ?? tiers[0])?.slo.ttft_ms ?? cluster.slo.ttft_ms ?? 500;
    this.controller = new PublishedController(random, standardMs / 500);
    this.inFlight = inFlight;
  }

  decide(request: VisibleRequest, tier: number, telemetry: Telemetry): Refusal | undefined {
    let prefillQueue = 0;
    let decodeQueue = 0;
    for (let i = 0; i < telemetry.instances; i++) {
      const decoding = telemetry.decoding[i] ?? 0;
      decodeQueue += decoding;
      prefillQueue += (telemetry.waiting[i] ?? 0) + (telemetry.running[i] ?? 0) - decoding;
    }
    let total = 0;
    for (const n of this.inFlight) total += n;
    const reason = this.controller.refuses(
      request.promptTokens,
      tier,
      this.inFlight[tier] ?? 0,
      prefillQueue,
      decodeQueue,
      total / mostInFlight,
    );
    return reason === undefined ? undefined : { reason, retryAfterNs };
  }

  firstToken(passage: Passage, ttftMs: Ms): void {
    this.ttftMs.set(passage.request, ttftMs);
  }

  left(passage: Passage, _generated: Tokens, tpotMs: Ms): void {
    const ttftMs = this.ttftMs.get(passage.request);
    if (ttftMs === undefined) return;
    this.ttftMs.delete(passage.request);
    this.controller.answered(ttftMs, tpotMs);
  }
}

export const asPublished: AdmissionKind = {
  id: 'as_published',
  label: 'QoS controller as published',
  help: 'The lab’s original: estimates that feed on total TTFTs, a health check that only answers can heal, random memory pressure.',
  parameters: [],
  reasons: [
    { id: 'capacity_limit', meaning: 'the tier has 50, 100 or 200 requests in flight' },
    { id: 'slo_violation', meaning: 'free tier: the estimate exceeds its TTFT objective' },
    { id: 'high_load', meaning: 'standard tier: likewise, and more than 0.8 of all concurrency is in use' },
    {
      id: 'system_health',
      meaning: 'free tier: p95 of the last 100 TTFTs above 750 ms; or one in ten at random',
    },
  ],
  create: (context) => new AsPublished(context),
};
