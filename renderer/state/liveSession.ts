import { createStore } from 'zustand/vanilla';
import type { FrameEvent } from '../../electron/contract/events.ts';
import type { HostError } from '../../electron/contract/hostError.ts';
import type { Job, RunInfo } from '../../electron/contract/protocol.ts';
import { errorOf, type HostClient } from './hostClient.ts';
import { RunData } from './runData.ts';
import type { TimeRange } from './timeRange.ts';

export interface LiveState {
  /** The run in the charts, and the one that lies faint behind it. */
  readonly run: string | undefined;
  readonly baseline: string | undefined;
  /** `live`: frames come. `stored`: read from its bundle. */
  readonly mode: 'empty' | 'live' | 'loading' | 'stored' | 'failed';
  readonly error: HostError | undefined;
}

const keptRuns = 8;
const overviewWidth = 2000;
/** Series per request to the host. */
const chunk = 200;

/** Which run the charts draw, and its data. Samples stay out of the store: charts listen to `onData`. */
export class LiveSession {
  readonly store = createStore<LiveState>(() => ({
    run: undefined,
    baseline: undefined,
    mode: 'empty',
    error: undefined,
  }));
  private readonly client: HostClient;
  private readonly library = new Map<string, RunData>();
  private readonly listeners = new Set<() => void>();
  /** What is shown while the view is frozen. Samples go on into the library behind it. */
  private frozen: RunData | undefined;

  constructor(client: HostClient) {
    this.client = client;
    client.onEvent((event) => {
      if (event.event === 'frame') this.receive(event);
    });
  }

  get data(): RunData | undefined {
    const { run, mode } = this.store.getState();
    return mode === 'live' && this.frozen?.run === run ? this.frozen : this.dataOf(run);
  }

  get baselineData(): RunData | undefined {
    return this.dataOf(this.store.getState().baseline);
  }

  /** Holds the run in progress as it is now, or lets it go on. */
  freeze(isFrozen: boolean): void {
    this.frozen = isFrozen ? this.dataOf(this.store.getState().run)?.copy() : undefined;
    if (!isFrozen) this.tell();
  }

  /** Called when samples of a shown run came. Returns the unsubscribe. */
  onData(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Follows a run in progress; past samples come first. */
  async watch(run: string, baseline: string | undefined): Promise<void> {
    if (this.store.getState().run === run && this.store.getState().mode === 'live') return;
    this.keep(new RunData(run));
    this.store.setState({ run, mode: 'live', error: undefined });
    this.setBaseline(baseline);
    this.tell();
    try {
      await this.client.request('live.watch', { run });
    } catch (thrown) {
      this.fail(run, thrown);
    }
  }

  /** Shows a run that has ended. */
  async open(run: string, baseline: string | undefined): Promise<void> {
    void this.client
      .request('live.watch', { run: null })
      .catch((thrown: unknown) => this.client.note(thrown));
    this.store.setState({ run, mode: 'loading', error: undefined });
    this.setBaseline(baseline);
    this.tell();
    try {
      await this.load(run);
      if (this.store.getState().run === run) this.store.setState({ mode: 'stored' });
    } catch (thrown) {
      this.fail(run, thrown);
    }
    this.tell();
  }

  setBaseline(run: string | undefined): void {
    const shown = run === this.store.getState().run ? undefined : run;
    this.store.setState({ baseline: shown });
    if (shown !== undefined && this.dataOf(shown) === undefined)
      void this.load(shown).then(
        () => this.tell(),
        () => this.store.setState((state) => (state.baseline === shown ? { baseline: undefined } : {})),
      );
    else this.tell();
  }

  /** A stored run's series at the resolution of this range; the overview again where there is none. */
  async refine(range: TimeRange | undefined): Promise<void> {
    const { run, mode } = this.store.getState();
    if (run === undefined || mode !== 'stored') return;
    await this.load(run, range).catch((thrown: unknown) => this.client.note(thrown));
    this.tell();
  }

  /** Run data from memory, or read from the bundle. */
  async load(run: string, range?: TimeRange): Promise<RunData> {
    const { sources } = await this.client.request('runs.sources', { run });
    const data = this.library.get(run) ?? new RunData(run);
    for (let start = 0; start < sources.length; start += chunk) {
      const { series } = await this.client.request('runs.series', {
        run,
        series: sources.slice(start, start + chunk).map(({ source, metric }) => ({ source, metric })),
        width: overviewWidth,
        ...(range === undefined ? {} : { range: { from_ns: range.fromMs * 1e6, to_ns: range.toMs * 1e6 } }),
      });
      for (const { source, metric, points } of series) {
        data.ensure(source, metric).replaceByBuckets(points);
        if (range === undefined) data.endMs = Math.max(data.endMs, points.at(-4) ?? 0);
      }
    }
    data.version += 1;
    this.keep(data);
    return data;
  }

  /** The run that a job works on is shown; what ran before it in the same job lies behind it. */
  follow(job: Job, pinned: string | null): void {
    const current = job.runs[job.current];
    if (current === undefined || current.status === 'queued') return;
    const before = job.runs
      .slice(0, job.current)
      .find((run) => run.variant === 'baseline' && run.status === 'done');
    void this.watch(current.run, before?.run ?? pinned ?? undefined);
  }

  /** Is this run on disk by now? Live samples may have been thinned, so zooming asks the bundle. */
  settle(info: RunInfo): void {
    const state = this.store.getState();
    if (info.run === state.run && state.mode === 'live' && info.status !== 'running')
      this.store.setState({ mode: 'stored' });
  }

  dataOf(run: string | undefined): RunData | undefined {
    return run === undefined ? undefined : this.library.get(run);
  }

  private receive(frame: FrameEvent): void {
    void this.client
      .request('live.ack', { frame: frame.frame })
      .catch((thrown: unknown) => this.client.note(thrown));
    this.dataOf(frame.run)?.apply(frame);
    if (frame.run === this.store.getState().run) this.tell();
  }

  private keep(data: RunData): void {
    this.library.delete(data.run);
    this.library.set(data.run, data);
    const { run, baseline } = this.store.getState();
    for (const known of this.library.keys()) {
      if (this.library.size <= keptRuns) break;
      if (known !== run && known !== baseline && known !== data.run) this.library.delete(known);
    }
  }

  private fail(run: string, thrown: unknown): void {
    if (this.store.getState().run === run) this.store.setState({ mode: 'failed', error: errorOf(thrown) });
  }

  private tell(): void {
    for (const listener of this.listeners) listener();
  }
}
