import { join, resolve } from 'node:path';
import { nativeFolder } from '../../native/index.ts';
import type { AnySpec } from '../../workloads/kernels/kernelSpec.ts';
import type { HostEvent } from '../contract/events.ts';
import type { HostMethod, HostParams, HostResults, Job, Pace } from '../contract/protocol.ts';
import type { Client } from '../host/client.ts';
import { Host } from '../host/host.ts';
import { runsFolder, usable } from '../host/store/runsFolder.ts';
import { withKind } from '../shared/kinds/runKinds.ts';
import { ProgressBar } from './progressBar.ts';

/** The host without a window, for the time of one command. */
export class Session {
  readonly host: Host;
  private readonly client: Client;
  private readonly listeners = new Set<(event: HostEvent) => void>();

  constructor(options: { readonly out?: string | undefined } = {}) {
    this.host = new Host({
      runsFolder: options.out === undefined ? runsFolder() : usable(resolve(options.out), '--out'),
      runnerEntry: process.env['DYNO_RUNNER'] ?? join(import.meta.dirname, 'runner.mjs'),
      moduleUrl: import.meta.url,
      nativeFolder: nativeFolder(import.meta.url),
      acceptsPaths: true,
    });
    this.client = this.host.connect((event) => {
      for (const listener of this.listeners) listener(event);
    });
  }

  request<M extends HostMethod>(method: M, params: HostParams<M>): Promise<HostResults[M]> {
    return this.host.request(this.client, method, params);
  }

  /** Hears every event of the host until the function that it returns is called. */
  listen(listener: (event: HostEvent) => void): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  /**
   * Starts the runs and waits for their end, with a progress bar. The first Ctrl-C cancels and keeps what was measured, the
   * second kills. `remarks: false` leaves out what a device or a server says of itself.
   */
  async runToEnd(
    title: string,
    specs: readonly AnySpec[],
    pace: Pace,
    { remarks = true }: { readonly remarks?: boolean } = {},
  ): Promise<Job> {
    const bar = new ProgressBar(process.stderr);
    let interrupts = 0;
    let started: string | undefined;
    let last: Job | undefined;
    let finish: (job: Job) => void = () => undefined;
    const ended = new Promise<Job>((done) => {
      finish = done;
    });
    // What a device or a server says of itself is worth a line; the simulator's remarks are in the run's log.
    const isReal = remarks && specs.some((spec) => withKind(spec, (kind, own) => kind.hasRemarks(own)));
    const listener = (event: HostEvent) => {
      if (event.event === 'log' && (event.level !== 'info' || isReal))
        bar.note(event.level === 'info' ? event.message : `${event.level}: ${event.message}`);
      if (event.event !== 'job' || (started !== undefined && event.job.job !== started)) return;
      last = event.job;
      bar.show(event.job);
      if (isOver(event.job)) finish(event.job);
    };
    const interrupt = () => {
      interrupts++;
      if (interrupts === 1) {
        bar.note('stopping: what was measured is kept; Ctrl-C again kills');
        if (started !== undefined) void this.request('jobs.cancel', { job: started });
      } else {
        this.host.killRuns();
        process.exit(130);
      }
    };
    const stopListening = this.listen(listener);
    process.on('SIGINT', interrupt);
    process.on('SIGTERM', interrupt);
    try {
      started = (await this.request('runs.start', { title, specs: [...specs], pace })).job;
      return last !== undefined && isOver(last) ? last : await ended;
    } finally {
      bar.stop();
      process.off('SIGINT', interrupt);
      process.off('SIGTERM', interrupt);
      stopListening();
    }
  }

  close(): Promise<void> {
    return this.host.close();
  }
}

const isOver = ({ state }: Job): boolean => state === 'done' || state === 'failed' || state === 'cancelled';

/** Opens a session for one command and closes it whatever happens. */
export async function withSession<T>(
  options: { readonly out?: string | undefined },
  body: (session: Session) => Promise<T>,
): Promise<T> {
  const session = new Session(options);
  const recovery = session.host.recover();
  try {
    return await body(session);
  } finally {
    await recovery;
    await session.close();
  }
}
