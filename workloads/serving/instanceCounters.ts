import type { Blocks, Ns, Tokens } from '../units.ts';

/** What an instance counted over the whole run. */
export class InstanceCounters {
  busyNs: Ns = 0;
  passesDone = 0;
  flops = 0;
  bytes = 0;
  promptTokensDone: Tokens = 0;
  outputTokensDone: Tokens = 0;
  prefillsDone = 0;
  completed = 0;
  blockRefs = 0;
  hits = 0;
  peakUsed: Blocks = 0;
  queuePeak = 0;
  /** Exponentially weighted over passes at least a quarter full of prompt tokens, tokens/s; NaN before the first. */
  prefillRate = Number.NaN;
  /** Last pass with decoding sequences. */
  decodePassNs: Ns = Number.NaN;
  private queueIntegral = 0;
  private queueSince: Ns = 0;

  /** The queue had `length` requests since the last change and gets another length at t. */
  queueChanges(length: number, t: Ns): void {
    this.queueIntegral += length * (t - this.queueSince);
    this.queueSince = t;
  }

  /** Integral of the queue length over time up to t, request-ns; `length` since the last change. */
  queueUntil(length: number, t: Ns): number {
    return this.queueIntegral + length * (t - this.queueSince);
  }

  /** `used` blocks are in use. */
  blocksUsed(used: Blocks): void {
    if (used > this.peakUsed) this.peakUsed = used;
  }
}
