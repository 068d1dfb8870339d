import { SingleBar } from 'cli-progress';
import { withSeparators } from '../../workloads/metrics/format.ts';
import type { SweepInfo } from '../contract/sweeps.ts';
import { inSeconds } from './progressBar.ts';

/** A bar over the points of a sweep on a terminal; elsewhere nothing but notes. */
export class SweepProgress {
  private readonly stream: NodeJS.WriteStream;
  private readonly bar: SingleBar | undefined;
  private isStarted = false;

  constructor(stream: NodeJS.WriteStream) {
    this.stream = stream;
    if (!stream.isTTY) return;
    this.bar = new SingleBar({
      stream,
      format: '{bar} {percentage} % · {count} · {rest}',
      barCompleteChar: '█',
      barIncompleteChar: '░',
      barsize: 28,
      hideCursor: true,
      clearOnComplete: true,
      linewrap: null,
      fps: 10,
      gracefulExit: false,
    });
  }

  show({ done, total, eta_ms: eta }: SweepInfo): void {
    if (this.bar === undefined) return;
    const payload = {
      count: `${withSeparators(String(done))} of ${withSeparators(String(total))} points`,
      rest: eta === undefined ? 'ETA –' : `ETA ${inSeconds(eta)}`,
    };
    if (this.isStarted) this.bar.update(done, payload);
    else this.bar.start(Math.max(1, total), done, payload);
    this.isStarted = true;
  }

  note(text: string): void {
    if (this.isStarted && this.bar !== undefined) this.stream.write('\r\x1b[K');
    this.stream.write(`${text}\n`);
  }

  stop(): void {
    if (this.isStarted) this.bar?.stop();
  }
}
