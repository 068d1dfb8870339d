import { SingleBar } from 'cli-progress';
import { withSeparators } from '../../workloads/metrics/format.ts';
import type { Job } from '../contract/protocol.ts';

/** `3.2 s`, `45 s`, `12 min` */
export const inSeconds = (ms: number): string =>
  ms < 10_000
    ? `${(ms / 1000).toFixed(1)} s`
    : ms < 120_000
      ? `${Math.round(ms / 1000)} s`
      : `${Math.round(ms / 60_000)} min`;

/** A bar with an ETA on a terminal; elsewhere one line per finished run. */
export class ProgressBar {
  private readonly stream: NodeJS.WriteStream;
  private readonly bar: SingleBar | undefined;
  private isStarted = false;
  private readonly told = new Set<string>();

  constructor(stream: NodeJS.WriteStream) {
    this.stream = stream;
    if (stream.isTTY) {
      this.bar = new SingleBar({
        stream,
        format: '{what} {bar} {percentage} % · {count} · {rest}',
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
  }

  show(job: Job): void {
    const run = job.runs[job.current];
    const of = job.runs.length > 1 ? ` ${job.current + 1}/${job.runs.length}` : '';
    const payload = {
      what: `${run?.variant ?? ''}${of}`,
      count:
        job.total === 0
          ? 'reading the traffic'
          : `${withSeparators(String(job.done))} of ${withSeparators(String(job.total))} requests`,
      rest:
        job.state === 'finishing'
          ? 'stopping'
          : job.eta_ms === undefined
            ? 'ETA –'
            : `ETA ${inSeconds(job.eta_ms)}`,
    };
    if (this.bar !== undefined) {
      if (this.isStarted) {
        this.bar.setTotal(Math.max(1, job.total));
        this.bar.update(job.done, payload);
      } else {
        this.bar.start(Math.max(1, job.total), job.done, payload);
        this.isStarted = true;
      }
    }
    for (const { run: id, variant, status } of job.runs) {
      if (status === 'queued' || status === 'running' || this.told.has(id)) continue;
      this.told.add(id);
      if (this.bar === undefined && status === 'done') this.stream.write(`${variant}: ${status}\n`);
    }
  }

  note(text: string): void {
    if (this.isStarted) this.stream.write('\r\x1b[K');
    this.stream.write(`${text}\n`);
  }

  stop(): void {
    if (this.isStarted) this.bar?.stop();
  }
}
