import type { Telemetry } from '../routing/router.ts';
import { Observation, type Replica } from '../serving/replica.ts';
import type { Ns } from '../units.ts';

/** The columns that routers see, and how they are taken from the instances. */
export class TelemetryBoard implements Telemetry {
  readonly instances: number;
  takenNs: Ns = 0;
  readonly waiting: Float64Array;
  readonly running: Float64Array;
  readonly pendingPrefill: Float64Array;
  readonly decoding: Float64Array;
  readonly decodeContext: Float64Array;
  readonly kvUsed: Float64Array;
  readonly kvTotal: Float64Array;
  readonly prefillRate: Float64Array;
  readonly decodePassNs: Float64Array;
  readonly ttftMs: Float64Array;
  readonly tokensPerSecond: Float64Array;
  readonly sentRequests: Float64Array;
  readonly sentPromptTokens: Float64Array;

  /** TTFT as it is now, before a snapshot is taken of it. */
  private readonly ttftNow: Float64Array;
  private readonly tokensSeen: Float64Array;
  private readonly busySeen: Float64Array;
  private readonly seen = new Observation();

  constructor(instances: number) {
    this.instances = instances;
    const column = (value = 0) => new Float64Array(instances).fill(value);
    this.waiting = column();
    this.running = column();
    this.pendingPrefill = column();
    this.decoding = column();
    this.decodeContext = column();
    this.kvUsed = column();
    this.kvTotal = column();
    this.prefillRate = column(Number.NaN);
    this.decodePassNs = column(Number.NaN);
    this.ttftMs = column();
    this.tokensPerSecond = column();
    this.sentRequests = column();
    this.sentPromptTokens = column();
    this.ttftNow = column();
    this.tokensSeen = column();
    this.busySeen = column();
  }

  firstToken(instance: number, ttftMs: number): void {
    const before = this.ttftNow[instance] ?? 0;
    this.ttftNow[instance] = before + 0.3 * (ttftMs - before);
  }

  /** Takes a snapshot of replicas that were advanced to t; of those that are silent the last one stays. */
  take(replicas: readonly Replica[], t: Ns, silent?: Uint8Array): void {
    this.takenNs = t;
    const { seen } = this;
    for (let i = 0; i < replicas.length; i++) {
      const replica = replicas[i];
      if (replica === undefined || silent?.[i] === 1) continue;
      replica.observe(seen, t);
      this.waiting[i] = seen.waiting;
      this.running[i] = seen.running + seen.ready;
      this.pendingPrefill[i] = seen.pendingPrefill;
      this.decoding[i] = seen.decoding + seen.ready;
      this.decodeContext[i] = seen.decodeContext;
      this.kvUsed[i] = seen.kvUsed;
      this.kvTotal[i] = seen.kvTotal;
      this.prefillRate[i] = seen.prefillRate;
      this.decodePassNs[i] = seen.decodePassNs;
      this.ttftMs[i] = this.ttftNow[i] ?? 0;
      this.sentRequests[i] = 0;
      this.sentPromptTokens[i] = 0;
      const busy = seen.busyNs - (this.busySeen[i] ?? 0);
      if (busy > 0) {
        const tokens = seen.outputTokens - seen.firstTokens;
        const rate = ((tokens - (this.tokensSeen[i] ?? 0)) / busy) * 1e9;
        const before = this.tokensPerSecond[i] ?? 0;
        this.tokensPerSecond[i] = before + 0.3 * (rate - before);
        this.busySeen[i] = seen.busyNs;
        this.tokensSeen[i] = tokens;
      }
    }
  }
}
