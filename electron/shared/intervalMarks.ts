import { type CaptureInterval, captureInterval, intervalRange } from '../../workloads/run/captureInterval.ts';

/** Set by a capture of a part of a run (`captures/captureRun.ts`): the interval as JSON. */
export const intervalVariable = 'DYNO_CAPTURE_INTERVAL';

export interface RangeMarks {
  push(name: string): void;
  pop(): void;
}

/** Opens the range `interval` when the run comes to its start and closes it at its end; once. */
export class IntervalMarks {
  private readonly interval: CaptureInterval | undefined;
  private readonly marks: RangeMarks;
  private state: 'before' | 'inside' | 'after' = 'before';

  constructor(interval: CaptureInterval | undefined, marks: RangeMarks) {
    this.interval = interval;
    this.marks = marks;
  }

  /** A simulated run must not go past this time at once: an edge of the interval lies there. */
  bound(): number {
    if (this.interval?.kind !== 'simulated' || this.state === 'after') return Number.POSITIVE_INFINITY;
    return this.state === 'before' ? this.interval.from_ns : this.interval.to_ns;
  }

  /** A simulated run has come to this time. */
  reached(clockNs: number): void {
    if (this.interval?.kind !== 'simulated') return;
    if (this.state === 'before' && clockNs >= this.interval.from_ns) this.open();
    else if (this.state === 'inside' && clockNs >= this.interval.to_ns) this.close();
  }

  /** A measured round is about to begin, or has ended. */
  beforeRound(round: number): void {
    if (this.interval?.kind === 'rounds' && this.state === 'before' && round >= this.interval.from)
      this.open();
  }
  afterRound(round: number): void {
    if (this.interval?.kind === 'rounds' && this.state === 'inside' && round >= this.interval.to)
      this.close();
  }

  /** The run is over: a range that is open ends with it. */
  end(): void {
    if (this.state === 'inside') this.close();
  }

  private open(): void {
    this.state = 'inside';
    this.marks.push(intervalRange);
  }

  private close(): void {
    this.state = 'after';
    this.marks.pop();
  }
}

/** The interval that the environment names, or undefined where it names none. */
export function intervalOf(environment: NodeJS.ProcessEnv = process.env): CaptureInterval | undefined {
  const text = environment[intervalVariable];
  return text === undefined || text === '' ? undefined : captureInterval.parse(JSON.parse(text));
}
