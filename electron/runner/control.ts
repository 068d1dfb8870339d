import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';

/** The requests of the host and of signals to a run in progress. */
export class Control {
  private wanted: 'max' | number = 'max';
  private isHosted = false;
  private cancelledBy: string | undefined;
  /** The last replicate that may begin. */
  private allowed = Number.POSITIVE_INFINITY;
  private readonly wakers = new Set<() => void>();

  get pace(): 'max' | number {
    return this.wanted;
  }

  /** The signal or message that cancelled the run; undefined while it goes on. */
  get cancelled(): string | undefined {
    return this.cancelledBy;
  }

  cancel(by: string): void {
    this.cancelledBy ??= by;
    this.wake();
  }

  /** Reads control lines; when a host that has spoken before closes the pipe, the run is cancelled and `hostGone` called. */
  listen(input: Readable, hostGone: () => void): void {
    const lines = createInterface({ input });
    lines.on('line', (line) => this.take(line));
    lines.on('close', () => {
      if (!this.isHosted) return;
      this.cancel('the host has gone');
      hostGone();
    });
    input.on('error', () => undefined);
  }

  /** A nap that a control message ends early. */
  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.wakers.delete(done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      this.wakers.add(done);
    });
  }

  /** Waits until the replicate may begin (true) or the run is cancelled (false); `waits` is called once where it has to wait. */
  async turn(replicate: number, waits: () => void): Promise<boolean> {
    if (replicate > this.allowed && this.cancelledBy === undefined) waits();
    while (replicate > this.allowed && this.cancelledBy === undefined) await this.sleep(1000);
    return replicate <= this.allowed;
  }

  private take(line: string): void {
    let message: unknown;
    try {
      message = JSON.parse(line);
    } catch {
      return;
    }
    if (typeof message !== 'object' || message === null) return;
    this.isHosted = true;
    if ('cancel' in message) this.cancel('cancelled');
    if ('turn' in message && typeof message.turn === 'number') {
      this.allowed = message.turn;
      this.wake();
    }
    if ('pace' in message) {
      const { pace } = message;
      if (pace === 'max' || (typeof pace === 'number' && pace > 0)) this.wanted = pace;
      this.wake();
    }
  }

  private wake(): void {
    for (const waker of [...this.wakers]) waker();
  }
}
