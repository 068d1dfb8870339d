import { createWriteStream, fstatSync } from 'node:fs';
import { Socket } from 'node:net';
import type { Writable } from 'node:stream';

/** Set to 3 by a host that listens there. Not guessed: Node itself uses low descriptors for its own pipes. */
export const eventsVariable = 'DYNO_EVENTS_FD';

/**
 * The runner's way out: descriptor 3 where the host says so, else standard output. Counts what the other side has not
 * taken yet, so that the run can wait for it.
 */
export class OutPipe {
  private readonly stream: Writable;
  private waiting = 0;
  private drained: (() => void) | undefined;

  constructor(whenGone: () => void) {
    const fd = process.env[eventsVariable] === '3' ? 3 : 1;
    const stat = fstatSync(fd);
    this.stream =
      stat.isFIFO() || stat.isSocket()
        ? new Socket({ fd, readable: false, writable: true })
        : createWriteStream('', { fd });
    this.stream.on('error', whenGone);
  }

  /** Bytes given but not yet taken. */
  get backlog(): number {
    return this.waiting;
  }

  write(bytes: Uint8Array): void {
    this.waiting += bytes.length;
    this.stream.write(bytes, () => {
      this.waiting -= bytes.length;
      if (this.drained !== undefined && this.waiting < OutPipe.lowMark) {
        const resume = this.drained;
        this.drained = undefined;
        resume();
      }
    });
  }

  static readonly highMark = 1024 * 1024;
  static readonly lowMark = 256 * 1024;

  /** Resolves at once, or when the other side has caught up. */
  whenDrained(): Promise<void> {
    if (this.waiting < OutPipe.highMark) return Promise.resolve();
    return new Promise((resolve) => {
      this.drained = resolve;
    });
  }

  end(): Promise<void> {
    return new Promise((resolve) => this.stream.end(resolve));
  }
}
