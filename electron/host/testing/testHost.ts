import { join } from 'node:path';
import type { HostEvent } from '../../contract/events.ts';
import type { HostMethod, HostParams, HostResults, Job } from '../../contract/protocol.ts';
import { job as jobSchema } from '../../contract/protocol.ts';
import { Host } from '../host.ts';

/** A host on a folder of its own, with every event it sent. */
export class TestHost {
  readonly host: Host;
  readonly events: HostEvent[] = [];
  private readonly client: ReturnType<Host['connect']>;
  private readonly waiting: {
    readonly test: (event: HostEvent) => boolean;
    readonly resolve: (event: HostEvent) => void;
  }[] = [];

  constructor(home: string, runnerEntry: string) {
    this.host = new Host({
      runsFolder: join(home, 'runs'),
      runnerEntry,
      moduleUrl: import.meta.url,
      nativeFolder: join(home, 'no-native'),
    });
    this.client = this.host.connect((event) => {
      this.events.push(event);
      if (event.event === 'job') jobSchema.parse(event.job);
      for (const entry of [...this.waiting])
        if (entry.test(event)) {
          this.waiting.splice(this.waiting.indexOf(entry), 1);
          entry.resolve(event);
        }
    });
  }

  request<M extends HostMethod>(method: M, params: HostParams<M>): Promise<HostResults[M]> {
    return this.host.request(this.client, method, params);
  }

  /** The first event from now on that passes. */
  until(test: (event: HostEvent) => boolean): Promise<HostEvent> {
    return new Promise((resolve) => this.waiting.push({ test, resolve }));
  }

  async untilJob(id: string, test: (job: Job) => boolean): Promise<Job> {
    const { jobs } = await this.request('jobs.list', {});
    const now = jobs.find(({ job }) => job === id);
    if (now !== undefined && test(now)) return now;
    const event = await this.until(
      (candidate) => candidate.event === 'job' && candidate.job.job === id && test(candidate.job),
    );
    if (event.event !== 'job') throw new Error('not a job event');
    return event.job;
  }

  untilOver(id: string): Promise<Job> {
    return this.untilJob(id, ({ state }) => state === 'done' || state === 'failed' || state === 'cancelled');
  }

  close(): Promise<void> {
    return this.host.close();
  }
}
