import type { DecisionRow, FrameEvent } from '../../contract/events.ts';
import type { CodedText, StreamBatch } from '../../shared/stream/message.ts';
import type { ActiveRun } from '../runs/activeRun.ts';
import { numbers, query, quoteName, type RowSource, texts } from '../store/duckdb.ts';

/** 20 frames a second, at most two of them unacknowledged; what comes meanwhile goes into the next one. */
const frameMs = 50;
const credits = 2;
const maxFrameRows = 20_000;
/** More pending rows than this are thinned: a window that does not take its frames costs no memory. */
const maxPendingRows = 200_000;
const maxDecisions = 20;
/** Buckets per series of what lies before the watching began. */
const pastWidth = 600;

/** The samples of one run for one window, as frames. Only the first replicate: the others repeat its time axis. */
export class LiveFeed {
  readonly run: string;
  private readonly send: (frame: FrameEvent) => void;
  private readonly nextFrame: () => number;
  private readonly keys = new Map<string, Map<string, number>>();
  private newKeys: { key: number; source: string; metric: string }[] = [];
  private keyCount = 0;
  private time: number[] = [];
  private key: number[] = [];
  private value: number[] = [];
  private decisions: DecisionRow[] = [];
  private readonly outstanding = new Set<number>();
  private timer: NodeJS.Timeout | undefined;
  private isPastSent = false;
  private isClosed = false;
  private detach: (() => void) | undefined;

  constructor(run: string, nextFrame: () => number, send: (frame: FrameEvent) => void) {
    this.run = run;
    this.nextFrame = nextFrame;
    this.send = send;
  }

  /** Follows a run in progress. What it has sent before comes first, decimated. */
  async follow(active: ActiveRun): Promise<void> {
    const rowsBefore = active.writer.rows.get('samples') ?? 0;
    this.detach = active.onBatch((batch) => this.take(batch));
    if (rowsBefore > 0) {
      await active.writer.commit();
      await this.past(
        { instance: active.writer.instance, from: quoteName('samples') },
        `AND rowid < ${rowsBefore}`,
      );
    }
    this.isPastSent = true;
    this.schedule();
  }

  /** Follows a stream that has no past: `listen` gets the taker and returns the unsubscribe. */
  hear(listen: (take: (batch: StreamBatch) => void) => () => void): void {
    this.isPastSent = true;
    this.detach = listen((batch) => this.take(batch));
  }

  /** Shows what a finished run holds. */
  async replay(samples: RowSource | undefined): Promise<void> {
    if (samples !== undefined) await this.past(samples, '');
    this.isPastSent = true;
    this.schedule();
  }

  acknowledge(frame: number): void {
    if (this.outstanding.delete(frame)) this.schedule();
  }

  close(): void {
    this.isClosed = true;
    this.detach?.();
    clearTimeout(this.timer);
  }

  private async past(samples: RowSource, condition: string): Promise<void> {
    const found = await query(
      samples.instance,
      `WITH span AS (SELECT min(time_ns) AS a, greatest(max(time_ns) - min(time_ns), 1) AS w
         FROM ${samples.from} WHERE iteration = 0 ${condition})
       SELECT source, metric, arg_min(time_ns, value)::DOUBLE AS t_low, min(value) AS low,
         arg_max(time_ns, value)::DOUBLE AS t_high, max(value) AS high
       FROM ${samples.from}, span WHERE iteration = 0 ${condition}
       GROUP BY source, metric, floor((time_ns - a) * ${pastWidth} / w)
       ORDER BY source, metric, min(time_ns)`,
    );
    const source = texts(found, 'source');
    const metric = texts(found, 'metric');
    const [tLow, low, tHigh, high] = ['t_low', 'low', 't_high', 'high'].map((name) => numbers(found, name));
    // Samples that came while the query ran follow the past ones.
    const [time, key, value] = [this.time, this.key, this.value];
    this.time = [];
    this.key = [];
    this.value = [];
    for (let row = 0; row < found.rows; row++) {
      const id = this.keyOf(source[row] ?? '', metric[row] ?? '');
      const first = { t: tLow?.[row] ?? 0, v: low?.[row] ?? Number.NaN };
      const second = { t: tHigh?.[row] ?? 0, v: high?.[row] ?? Number.NaN };
      const [a, b] = first.t <= second.t ? [first, second] : [second, first];
      this.push(a.t / 1e6, id, a.v);
      if (b.t !== a.t) this.push(b.t / 1e6, id, b.v);
    }
    for (let i = 0; i < time.length; i++) this.push(time[i] ?? 0, key[i] ?? 0, value[i] ?? Number.NaN);
  }

  private push(time: number, key: number, value: number): void {
    if (Number.isNaN(time)) return;
    this.time.push(time);
    this.key.push(key);
    this.value.push(value);
  }

  private keyOf(source: string, metric: string): number {
    let metrics = this.keys.get(source);
    if (metrics === undefined) {
      metrics = new Map();
      this.keys.set(source, metrics);
    }
    const known = metrics.get(metric);
    if (known !== undefined) return known;
    const key = this.keyCount++;
    metrics.set(metric, key);
    this.newKeys.push({ key, source, metric });
    return key;
  }

  private take(batch: StreamBatch): void {
    if (batch.schema.name === 'samples') this.takeSamples(batch);
    else if (batch.schema.name === 'decisions') this.decisions = lastDecisions(batch, this.decisions);
    else return;
    this.schedule();
  }

  private takeSamples(batch: StreamBatch): void {
    const [iteration, time, source, metric, value] = batch.columns;
    if (!isText(source) || !isText(metric) || !isNumbers(time) || !isNumbers(value) || !isNumbers(iteration))
      return;
    const known = new Map<number, number>();
    for (let row = 0; row < batch.rows; row++) {
      if (iteration[row] !== 0) continue;
      const pair = (source.codes[row] ?? 0) * metric.dictionary.length + (metric.codes[row] ?? 0);
      let key = known.get(pair);
      if (key === undefined) {
        key = this.keyOf(
          source.dictionary[source.codes[row] ?? 0] ?? '',
          metric.dictionary[metric.codes[row] ?? 0] ?? '',
        );
        known.set(pair, key);
      }
      this.push((time[row] ?? 0) / 1e6, key, value[row] ?? Number.NaN);
    }
    if (this.time.length > maxPendingRows) this.thin();
  }

  /** Of every four neighbours of a series the lowest and the highest stay. */
  private thin(): void {
    const rowsOf = new Map<number, number[]>();
    this.key.forEach((key, row) => {
      const rows = rowsOf.get(key);
      if (rows === undefined) rowsOf.set(key, [row]);
      else rows.push(row);
    });
    const kept: number[] = [];
    for (const rows of rowsOf.values()) {
      for (let start = 0; start < rows.length; start += 4) {
        const group = rows.slice(start, start + 4);
        let low = group[0] ?? 0;
        let high = low;
        for (const row of group) {
          if (!((this.value[row] ?? 0) >= (this.value[low] ?? 0))) low = row;
          if (!((this.value[row] ?? 0) <= (this.value[high] ?? 0))) high = row;
        }
        kept.push(Math.min(low, high));
        if (low !== high) kept.push(Math.max(low, high));
      }
    }
    kept.sort((a, b) => a - b);
    this.time = kept.map((row) => this.time[row] ?? 0);
    this.key = kept.map((row) => this.key[row] ?? 0);
    this.value = kept.map((row) => this.value[row] ?? Number.NaN);
  }

  private schedule(): void {
    if (this.timer !== undefined || this.isClosed || !this.isPastSent) return;
    if (this.time.length === 0 && this.decisions.length === 0) return;
    if (this.outstanding.size >= credits) return;
    this.timer = setTimeout(() => {
      this.timer = undefined;
      this.flush();
      this.schedule();
    }, frameMs);
  }

  private flush(): void {
    const rows = Math.min(this.time.length, maxFrameRows);
    const frame = this.nextFrame();
    this.outstanding.add(frame);
    this.send({
      event: 'frame',
      frame,
      run: this.run,
      keys: this.newKeys,
      time_ms: Float64Array.from(this.time.splice(0, rows)),
      key: Int32Array.from(this.key.splice(0, rows)),
      value: Float64Array.from(this.value.splice(0, rows)),
      decisions: this.decisions,
    });
    this.newKeys = [];
    this.decisions = [];
  }
}

type Column = StreamBatch['columns'][number] | undefined;
const isText = (column: Column): column is CodedText => column !== undefined && 'codes' in column;
const isNumbers = (column: Column): column is Float64Array | Int32Array | Uint8Array =>
  column !== undefined && !('codes' in column);

/** The latest decisions of a batch after those known; rows of one decision stand together. */
function lastDecisions(batch: StreamBatch, known: readonly DecisionRow[]): DecisionRow[] {
  const { columns } = batch.schema;
  const at = (name: string) => batch.columns[columns.findIndex((column) => column.name === name)];
  const [request, time, instance, chosen, score] = ['request', 'time_ns', 'instance', 'chosen', 'score'].map(
    at,
  );
  const stage = at('stage');
  if (!isNumbers(request) || !isNumbers(time) || !isNumbers(instance) || !isNumbers(chosen))
    return [...known];
  if (!isNumbers(score) || !isText(stage)) return [...known];
  const terms = columns.flatMap(({ name }, i) => {
    const values = batch.columns[i];
    return name.startsWith('term_') && isNumbers(values) ? [{ id: name.slice(5), values }] : [];
  });
  const found: DecisionRow[] = [];
  let end = batch.rows;
  while (end > 0 && found.length < maxDecisions) {
    const last = end - 1;
    let start = last;
    while (
      start > 0 &&
      request[start - 1] === request[last] &&
      time[start - 1] === time[last] &&
      stage.codes[start - 1] === stage.codes[last]
    )
      start--;
    const candidates = [];
    let winner = -1;
    for (let row = start; row < end; row++) {
      if (chosen[row] === 1) winner = instance[row] ?? -1;
      candidates.push({
        instance: instance[row] ?? -1,
        score: score[row] ?? Number.NaN,
        terms: Object.fromEntries(
          terms.flatMap(({ id, values }) => {
            const value = values[row];
            return value === undefined || Number.isNaN(value) ? [] : [[id, value] as const];
          }),
        ),
      });
    }
    found.push({
      request: request[last] ?? -1,
      time_ms: (time[last] ?? 0) / 1e6,
      stage: stage.dictionary[stage.codes[last] ?? 0] ?? '',
      chosen: winner,
      candidates,
    });
    end = start;
  }
  return [...known, ...found.reverse()].slice(-maxDecisions);
}
