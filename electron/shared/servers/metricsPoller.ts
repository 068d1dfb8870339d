import { parsePrometheus } from '../../../workloads/engines/http/servers/prometheus.ts';
import { readingsOf, type ServerReadings } from '../../../workloads/engines/http/servers/serverReadings.ts';
import { ask } from './shortRequest.ts';

export interface MetricsReading {
  readonly readings: ServerReadings;
  /** When the request was sent, ms on the caller's clock: values are at least as old as this says. */
  readonly takenMs: number;
}

export interface PollerOptions {
  readonly url: string;
  readonly apiKey?: string | undefined;
  readonly intervalMs: number;
  readonly nowMs: () => number;
  readonly onReading?: (reading: MetricsReading) => void;
}

/**
 * Reads a server's /metrics at an interval, one request at a time: a slow answer makes the next one later, never a second
 * one beside it. `age` says how old the last reading is; NaN before the first.
 */
export class MetricsPoller {
  private readonly options: PollerOptions;
  private latest: MetricsReading | undefined;
  private timer: NodeJS.Timeout | undefined;
  private readonly stopped = new AbortController();
  private lastFailure: string | undefined;
  /** Readings that failed since the last good one. */
  failures = 0;

  constructor(options: PollerOptions) {
    this.options = options;
    void this.poll();
  }

  get reading(): MetricsReading | undefined {
    return this.latest;
  }

  get failure(): string | undefined {
    return this.lastFailure;
  }

  /** Milliseconds since the last reading was asked for; NaN before the first. */
  get ageMs(): number {
    return this.latest === undefined ? Number.NaN : this.options.nowMs() - this.latest.takenMs;
  }

  stop(): void {
    this.stopped.abort();
    clearTimeout(this.timer);
  }

  private async poll(): Promise<void> {
    const { url, apiKey, intervalMs, nowMs, onReading } = this.options;
    const takenMs = nowMs();
    try {
      const answer = await ask(url, {
        ...{ apiKey, timeoutMs: Math.max(1000, intervalMs), limit: 8 * 2 ** 20, signal: this.stopped.signal },
      });
      if (answer.status !== 200) throw new Error(`it answers ${answer.status}`);
      this.latest = { readings: readingsOf(parsePrometheus(answer.body)), takenMs };
      this.failures = 0;
      this.lastFailure = undefined;
      onReading?.(this.latest);
    } catch (thrown) {
      if (this.stopped.signal.aborted) return;
      this.failures += 1;
      this.lastFailure = thrown instanceof Error ? thrown.message : String(thrown);
    }
    if (this.stopped.signal.aborted) return;
    this.timer = setTimeout(() => void this.poll(), Math.max(0, takenMs + intervalMs - nowMs()));
    this.timer.unref();
  }
}
