import { sloTtftNs } from '../../routing/estimate.ts';
import { numberOf, type Telemetry, type VisibleRequest } from '../../routing/router.ts';
import type { NumberParameter } from '../../run/parameter.ts';
import type { Fraction, Ns, Tokens } from '../../units.ts';
import {
  type Admission,
  type AdmissionContext,
  type Passage,
  type Refusal,
  retryAfterNs,
} from './admission.ts';
import { DecodeTime } from './decodeTime.ts';
import { PoolLoads } from './load.ts';

/** What Mooncake's three policies share: two loads, one threshold. They differ in when, and for when, they ask for the decode load. */
export const loadThreshold: NumberParameter = {
  kind: 'number',
  id: 'load_threshold',
  label: 'Load threshold',
  group: 'policy',
  unit: '',
  min: 0.05,
  max: 10,
  step: 0.05,
  default: 1,
  help: 'Requests are refused while the load of either pool exceeds this. 1: as soon as its objective would be missed.',
};

export const loadReasons = [
  { id: 'prefill_load', meaning: 'the estimated time to the first token exceeds its objective' },
  { id: 'decode_load', meaning: 'the decoding instances are loaded beyond the threshold' },
] as const;

export abstract class LoadRejection implements Admission {
  protected readonly loads: PoolLoads;
  protected readonly threshold: Fraction;
  protected readonly decodeTime: DecodeTime;
  private readonly limitNs: Ns;

  constructor(context: AdmissionContext) {
    this.loads = new PoolLoads(context.cluster);
    this.threshold = numberOf(context.parameters, loadThreshold.id, 1);
    this.decodeTime = new DecodeTime(context);
    this.limitNs = this.threshold * sloTtftNs(context.cluster);
  }

  abstract decide(request: VisibleRequest, tier: number, telemetry: Telemetry): Refusal | undefined;

  firstToken(passage: Passage): void {
    this.decodeTime.began(passage.request, passage.at);
  }
  left(passage: Passage, generated: Tokens): void {
    this.decodeTime.ended(passage.request, passage.at, generated);
  }

  /** Too late to be worth computing. The queue drains a second per second: that is when to come back. */
  protected overPrefill(ttftNs: Ns): Refusal | undefined {
    return ttftNs > this.limitNs
      ? { reason: 'prefill_load', retryAfterNs: retryAfterNs(ttftNs - this.limitNs) }
      : undefined;
  }

  /** Sequences leave evenly over a decode time: after this share of it the load is down to the threshold. */
  protected overDecode(load: Fraction): Refusal | undefined {
    if (load <= this.threshold) return undefined;
    const wait = (1 - this.threshold / load) * this.decodeTime.ns;
    return { reason: 'decode_load', retryAfterNs: retryAfterNs(wait) };
  }
}
