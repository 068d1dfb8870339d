import {
  type Drained,
  type GpuMetrics,
  type Native,
  type NoNative,
  type SampleColumns,
  type SamplingOptions,
  sampleColumns,
  type Telemetry,
} from '../../../../native/index.ts';
import { samplesTable } from '../../../../workloads/run/tables.ts';
import type { StreamBatch } from '../../../shared/stream/message.ts';
import { metricNames, metricScales } from './nativeMetrics.ts';

/** Ten times a second: often enough for a line that moves, and for the watch over GPUs that hang. */
const drainMs = 100;
const columnRows = 8192;
/** A series silent for longer has a gap: five readings of the slowest source (1 s), and at least of the others (0.2 s). */
const gapNs = 5e9;
/** Waits before GPM is asked for again where another process has it; the last one repeats. */
const retriesMs: readonly number[] = [2000, 4000, 8000, 16_000, 32_000, 60_000];
/** Refusals that no waiting mends. */
const lasting: ReadonlySet<string> = new Set([
  'NVML_ERROR_NOT_SUPPORTED',
  'NVML_ERROR_FUNCTION_NOT_FOUND',
  'NVML_ERROR_NO_PERMISSION',
]);

export interface GpuNotice {
  readonly level: 'info' | 'warning' | 'error';
  readonly gpu: number;
  /** On the clock of the samples beside it. */
  readonly timeNs: number;
  readonly message: string;
}

/** The samples of one drain. Times count from `originNs` (`process.hrtime`). */
export interface GpuReadings {
  readonly originNs: bigint;
  readonly rows: number;
  readonly timeNs: Float64Array;
  readonly gpu: Int32Array;
  /** Names of the series in `gpu`: `0`; of a MIG instance `0.1`, instance 1 of GPU 0. */
  readonly names: readonly string[];
  /** Index into `metricNames`. */
  readonly metric: Int32Array;
  /** In the unit of the registry; NaN where a gap begins. */
  readonly value: Float64Array;
  readonly notices: readonly GpuNotice[];
}

export type GpuListener = (readings: GpuReadings) => void;

/**
 * The GPUs of this machine as a stream, while it has listeners. Opens the driver with the first listener and lets go
 * of it after the last; where there is no GPU it asks once and then costs nothing.
 *
 *   sampler threads ──rings──► drain (10 Hz) ──columns──► listeners: the machine's feed, runs in progress
 */
export class GpuTelemetry {
  private readonly open: () => Native | NoNative;
  private readonly periodsMs: SamplingOptions['periodsMs'];
  private readonly listeners = new Set<GpuListener>();
  private readonly columns: SampleColumns = sampleColumns(columnRows);
  private telemetry: Telemetry | undefined;
  private originNs = 0n;
  private timer: NodeJS.Timeout | undefined;
  private working: Promise<void> | undefined;
  private reason: string | undefined;
  private isClosed = false;
  private dropped = 0;
  private names: readonly string[] = [];
  private readonly waitsMs: readonly number[];
  private retry: NodeJS.Timeout | undefined;
  private refusals = 0;
  private readonly lastNs = new Map<number, number>();

  constructor(
    open: () => Native | NoNative,
    periodsMs: SamplingOptions['periodsMs'] = {},
    waitsMs: readonly number[] = retriesMs,
  ) {
    this.open = open;
    this.periodsMs = periodsMs;
    this.waitsMs = waitsMs;
  }

  /** Why no samples come; undefined while they do, and before the first listener. */
  get absentReason(): string | undefined {
    return this.reason;
  }

  /** Returns the unsubscribe. */
  listen(listener: GpuListener): () => void {
    this.listeners.add(listener);
    this.settle();
    return () => {
      this.listeners.delete(listener);
      this.settle();
    };
  }

  /** Resolves when what was asked for last has happened. */
  async settled(): Promise<void> {
    while (this.working !== undefined) await this.working;
  }

  async close(): Promise<void> {
    this.isClosed = true;
    this.listeners.clear();
    this.settle();
    await this.settled();
  }

  private get isWanted(): boolean {
    return this.listeners.size > 0 && !this.isClosed && this.reason === undefined;
  }

  private settle(): void {
    if (this.isWanted === (this.telemetry !== undefined)) return;
    this.working ??= this.change().finally(() => {
      this.working = undefined;
      this.settle();
    });
  }

  private async change(): Promise<void> {
    const { telemetry } = this;
    if (telemetry !== undefined) {
      clearInterval(this.timer);
      clearTimeout(this.retry);
      this.telemetry = undefined;
      await telemetry.stop();
      await telemetry.close();
      return;
    }
    const native = this.open();
    if (!native.available) {
      this.reason = native.reason;
      return;
    }
    const opened = await native.openTelemetry();
    if (!opened.ok) {
      this.reason = opened.error.message;
      return;
    }
    const originNs = process.hrtime.bigint();
    const started = await opened.value.start({ origin: originNs, periodsMs: this.periodsMs ?? {} });
    if (!started.ok || started.value.length === 0) {
      this.reason = started.ok ? 'the driver lists no GPU' : started.error.message;
      await opened.value.close();
      return;
    }
    this.originNs = originNs;
    this.dropped = 0;
    this.lastNs.clear();
    this.telemetry = opened.value;
    this.names = namesOf(started.value);
    const absent = started.value.flatMap(({ index, gpm }): GpuNotice[] =>
      gpm === undefined
        ? []
        : [
            {
              level: 'info',
              gpu: index,
              timeNs: 0,
              message:
                `GPU ${this.nameOf(index)}: no SM, tensor and DRAM use: ${gpm.message} ${gpm.hint}`.trim(),
            },
          ],
    );
    const taken = started.value.filter(({ gpm }) => gpm !== undefined && !lasting.has(gpm.name));
    const again = this.retryNotice(taken.map(({ index }) => index));
    const notices = [...absent, ...again];
    if (notices.length > 0) this.tell({ ...this.readingsOf(nothing), notices });
    this.timer = setInterval(() => this.drain(), drainMs);
    this.timer.unref();
  }

  private nameOf(series: number): string {
    return this.names[series] ?? String(series);
  }

  /** GPM serves one process at a time: where it is taken, sampling begins again later, and each attempt is said. */
  private retryNotice(taken: readonly number[]): GpuNotice[] {
    const [first] = taken;
    if (first === undefined) {
      const had = this.refusals;
      this.refusals = 0;
      return had === 0
        ? []
        : [
            {
              level: 'info',
              gpu: 0,
              timeNs: 0,
              message: 'GPM answers now: SM, tensor and DRAM use are sampled',
            },
          ];
    }
    const wait = this.waitsMs[Math.min(this.refusals, this.waitsMs.length - 1)] ?? 60_000;
    this.refusals += 1;
    this.retry = setTimeout(() => void this.beginAgain(), wait);
    this.retry.unref();
    return [
      {
        level: 'info',
        gpu: first,
        timeNs: 0,
        message: `GPU ${taken.map((series) => this.nameOf(series)).join(', ')}: another process reads GPM, and it serves one at a time; asked again in ${(wait / 1000).toLocaleString('en')} s`,
      },
    ];
  }

  /** Stops and starts sampling in place; what listens stays. */
  private async beginAgain(): Promise<void> {
    await this.settled();
    const { telemetry } = this;
    if (telemetry === undefined || !this.isWanted) return;
    this.drain();
    this.working = (async () => {
      await this.change();
      if (this.isWanted && this.telemetry === undefined) await this.change();
    })().finally(() => {
      this.working = undefined;
      this.settle();
    });
    await this.settled();
  }

  /** Takes what is there. Public for tests, which have no time to wait. */
  drain(): void {
    for (;;) {
      const drained = this.telemetry?.drain(this.columns);
      if (drained === undefined) return;
      this.tell(this.readingsOf(drained));
      if (drained.waiting === 0 || drained.count === 0) return;
    }
  }

  private readingsOf({ count, dropped, ended, events }: Drained): GpuReadings {
    const { t, gpu, metric, value } = this.columns;
    const time: number[] = [];
    const gpus: number[] = [];
    const metrics: number[] = [];
    const values: number[] = [];
    const push = (timeNs: number, of: number, what: number, much: number) => {
      time.push(timeNs);
      gpus.push(of);
      metrics.push(what);
      values.push(much);
    };
    for (let row = 0; row < count; row++) {
      const [timeNs = 0, of = 0, what = 0] = [t[row], gpu[row], metric[row]];
      const series = of * metricNames.length + what;
      const before = this.lastNs.get(series);
      if (before !== undefined && timeNs - before > gapNs) push(before + 1, of, what, Number.NaN);
      this.lastNs.set(series, timeNs);
      push(timeNs, of, what, (value[row] ?? Number.NaN) * (metricScales[what] ?? 1));
    }
    for (const end of ended) {
      for (const [series, before] of this.lastNs) {
        if (Math.floor(series / metricNames.length) !== end.gpu) continue;
        push(Math.max(before + 1, end.t), end.gpu, series % metricNames.length, Number.NaN);
        this.lastNs.delete(series);
      }
    }
    const lost = dropped - this.dropped;
    this.dropped = dropped;
    return {
      originNs: this.originNs,
      rows: time.length,
      timeNs: Float64Array.from(time),
      gpu: Int32Array.from(gpus),
      names: this.names,
      metric: Int32Array.from(metrics),
      value: Float64Array.from(values),
      notices: [
        ...ended.map(
          (end): GpuNotice => ({
            level: 'error',
            gpu: end.gpu,
            timeNs: end.t,
            message: `GPU ${this.nameOf(end.gpu)}: telemetry ended (${endWords[end.reason]}): ${end.message}`,
          }),
        ),
        ...events.map(
          (event): GpuNotice => ({
            level: event.kind === 'eccCorrected' ? 'warning' : 'error',
            gpu: event.gpu,
            timeNs: event.t,
            message: `GPU ${this.nameOf(event.gpu)}: ${event.kind === 'xid' ? `XID ${event.data}` : `${event.kind} (${event.data})`}`,
          }),
        ),
        ...(lost > 0
          ? [
              {
                level: 'warning' as const,
                gpu: 0,
                timeNs: time.at(-1) ?? 0,
                message: `${lost} telemetry samples were lost: the host was too busy to take them`,
              },
            ]
          : []),
      ],
    };
  }

  private tell(readings: GpuReadings): void {
    if (readings.rows === 0 && readings.notices.length === 0) return;
    for (const listener of [...this.listeners]) listener(readings);
  }
}

/** By series: `0`, `1`; a MIG instance is named after its GPU, `0.1`. */
function namesOf(series: readonly GpuMetrics[]): readonly string[] {
  const names: string[] = [];
  for (const { index, gpu, instance } of series)
    names[index] = gpu === undefined || instance === undefined ? String(index) : `${gpu}.${instance}`;
  return names;
}

const nothing: Drained = { count: 0, waiting: 0, dropped: 0, cpuTime: 0, ended: [], events: [] };

const endWords = {
  lost: 'the GPU is gone',
  resetRequired: 'the GPU needs a reset',
  driverGone: 'the driver is gone',
  hung: 'the driver does not answer',
} as const;

/** Readings as rows of the `samples` table on a clock that started at `clockNs` (`process.hrtime`). */
export function samplesOf(readings: GpuReadings, clockNs: bigint): StreamBatch {
  const shift = Number(readings.originNs - clockNs);
  const gpus = readings.gpu.reduce((most, gpu) => Math.max(most, gpu + 1), 0);
  return {
    kind: 'batch',
    schema: samplesTable,
    rows: readings.rows,
    columns: [
      new Int32Array(readings.rows),
      readings.timeNs.map((time) => Math.max(0, time + shift)),
      {
        codes: readings.gpu,
        dictionary: Array.from({ length: gpus }, (_, gpu) => `gpu:${readings.names[gpu] ?? gpu}`),
      },
      { codes: readings.metric, dictionary: metricNames },
      readings.value,
    ],
  };
}
