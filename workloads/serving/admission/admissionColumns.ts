import type { Ns } from '../../units.ts';
import type { Tier } from './admission.ts';

/** What admission writes about each request of a replicate; columns indexed like the traffic. */
export class AdmissionColumns {
  readonly tiers: readonly Tier[];
  /** Names that `reason` counts through. */
  readonly reasons: readonly string[];
  readonly tier: Uint8Array;
  /** Admission attempts. */
  readonly attempts: Uint8Array;
  /** Why it was turned away the last time; −1 where it never was. */
  readonly reason: Int16Array;
  /** When it was told to come back, the last time; NaN where it never was. */
  readonly retryAfterNs: Float64Array;
  /** The instance that it was sent to; −1 before. */
  readonly sentTo: Int32Array;

  constructor(tiers: readonly Tier[], reasons: readonly string[], requests: number) {
    this.tiers = tiers;
    this.reasons = reasons;
    this.tier = new Uint8Array(requests);
    this.attempts = new Uint8Array(requests);
    this.reason = new Int16Array(requests).fill(-1);
    this.retryAfterNs = new Float64Array(requests).fill(Number.NaN);
    this.sentTo = new Int32Array(requests).fill(-1);
  }

  reasonOf(r: number): string {
    return this.reasons[this.reason[r] ?? -1] ?? '';
  }

  setReason(r: number, reason: string, retryAfterNs: Ns): void {
    const index = this.reasons.indexOf(reason);
    if (index < 0) throw new Error(`admission: "${reason}" is none of its reasons`);
    this.reason[r] = index;
    this.retryAfterNs[r] = retryAfterNs;
  }
}
