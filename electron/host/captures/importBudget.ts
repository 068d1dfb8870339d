import { CaptureError } from './captureError.ts';

/**
 * What one import may cost. A report is a file from somewhere: it may be damaged or made to be slow, so every loop of an
 * importer spends from this budget, and one that is spent ends the import with one line.
 */
export interface ImportLimits {
  readonly bytes: number;
  /** Rows read, over all tables. */
  readonly rows: number;
  readonly milliseconds: number;
  /** What is kept of the rows, before they are sorted and joined (which takes as much again); absent: without a limit. */
  readonly keptBytes?: number;
  /** Only events that touch this part of the timeline are kept; absent: all. */
  readonly part?: { readonly fromNs: number; readonly toNs: number };
}

/**
 * 16 GiB, 200 million rows, 15 minutes: far above any report that a window can show. Of their events 320 MiB are kept, so that an
 * import stays below 1 GiB: 4 million kernels, or 6.9 million calls and ranges.
 */
export const importLimits: ImportLimits = {
  bytes: 16 * 2 ** 30,
  rows: 200e6,
  milliseconds: 900_000,
  keptBytes: 320 * 2 ** 20,
};

/** The event loop gets its turn this often, so that an import never stalls the host's other work. */
const breatheEveryMs = 10;

export class ImportBudget {
  readonly limits: ImportLimits;
  private readonly path: string;
  private readonly now: () => number;
  private readonly signal: AbortSignal | undefined;
  private readonly started: number;
  private breathed: number;
  private rows = 0;
  private kept = 0;

  constructor(
    path: string,
    limits: ImportLimits = importLimits,
    signal?: AbortSignal,
    now: () => number = () => performance.now(),
  ) {
    this.path = path;
    this.limits = limits;
    this.signal = signal;
    this.now = now;
    this.started = now();
    this.breathed = this.started;
  }

  checkSize(bytes: number): void {
    if (bytes > this.limits.bytes) {
      throw this.exceeded(`is ${bytes} bytes; at most ${this.limits.bytes} are read`);
    }
  }

  /** Call once per row. Cheap: the clock is looked at in `breathe`, between pages. */
  spendRow(): void {
    this.rows += 1;
    if (this.rows > this.limits.rows) throw this.exceeded(`has more than ${this.limits.rows} rows`);
  }

  /** Whether an event touches the part that was asked for; `zeroNs` is where the timeline begins. */
  wants(startNs: number, endNs: number, zeroNs = 0): boolean {
    const { part } = this.limits;
    return part === undefined || (endNs - zeroNs >= part.fromNs && startNs - zeroNs <= part.toNs);
  }

  /** Call for what stays in memory. */
  keep(bytes: number): void {
    this.kept += bytes;
    const { keptBytes = Number.POSITIVE_INFINITY } = this.limits;
    if (this.kept > keptBytes)
      throw this.exceeded(
        `has more events than ${Math.round(keptBytes / 2 ** 20)} MiB hold (row ${this.rows} and more)`,
        'read a part of it: dyno capture open FILE --from S --to S, in seconds of its timeline',
      );
  }

  /** True when it is time to `await breathe()`. */
  isDue(): boolean {
    return this.now() - this.breathed > breatheEveryMs;
  }

  /** Checks time and cancellation, and lets the event loop run. */
  async breathe(): Promise<void> {
    this.check();
    await new Promise<void>((resolve) => setImmediate(resolve));
    this.check();
    this.breathed = this.now();
  }

  private check(): void {
    if (this.signal?.aborted) throw new CaptureError('cancelled', `${this.path}: import cancelled`);
    if (this.now() - this.started > this.limits.milliseconds) {
      throw this.exceeded(`took longer than ${this.limits.milliseconds / 1000} s to read`);
    }
  }

  private exceeded(
    what: string,
    hint = 'capture a shorter interval, or fewer kernels, or export a part of the recording',
  ): CaptureError {
    return new CaptureError('bad_input', `${this.path}: ${what}`, { hint });
  }
}
