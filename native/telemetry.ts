// GPU telemetry: what the cards are, how they are wired, and a stream of samples in columns.
//
//   const opened = await native.openTelemetry()
//   if (!opened.ok) return opened.error            // no driver: one sentence and what to do
//   await opened.value.start({ origin: runClock.origin })
//   const columns = sampleColumns(4096)            // allocate once
//   setInterval(() => { const { count, ended } = opened.value.drain(columns); … }, 50)
import type { RawAddon } from './addon.ts';
import { type Answer, failure, parseAnswer, success } from './answer.ts';
import { type MetricId, metricIds, metricNumber } from './metrics.ts';

export interface Gpu {
  readonly index: number;
  readonly name?: string;
  readonly uuid?: string;
  /** As sysfs writes it: `0000:3b:00.0`. */
  readonly pciAddress?: string;
  readonly computeCapability?: string;
  readonly memoryBytes?: number;
  readonly cores?: number;
  readonly memoryBusBits?: number;
  readonly maxSmClockMHz?: number;
  readonly maxMemoryClockMHz?: number;
  readonly powerLimitWatts?: number;
  readonly pcieGeneration?: number;
  readonly pcieWidth?: number;
  readonly pcieMaxGeneration?: number;
  readonly pcieMaxWidth?: number;
  readonly mig?: boolean;
  /** Present where MIG is on. */
  readonly instances?: readonly MigInstance[];
  /** Present when the driver lists the GPU but does not let this user open it. */
  readonly refused?: string;
}

/** A slice of a GPU in MIG mode, with memory and SMs of its own. */
export interface MigInstance {
  /** Its number in samples: the GPUs come first, then the instances. */
  readonly series: number;
  /** The driver's number of it within its GPU. */
  readonly number: number;
  readonly name?: string;
  readonly uuid?: string;
  readonly memoryBytes?: number;
  readonly gpuInstance?: number;
  readonly computeInstance?: number;
}

export interface GpuList {
  readonly driver?: string;
  readonly nvml?: string;
  /** The newest CUDA version that the driver serves, e.g. `13.0`. */
  readonly cuda?: string;
  readonly gpus: readonly Gpu[];
}

export interface Nvlink {
  readonly link: number;
  /** `4.0` on Hopper. */
  readonly version?: string;
  readonly remote: 'gpu' | 'cpu' | 'switch' | 'unknown';
  readonly remotePciAddress?: string;
  /** Per direction. */
  readonly bytesPerSecond?: number;
}

export interface TopologyGpu {
  readonly index: number;
  readonly name?: string;
  readonly uuid?: string;
  readonly pciAddress?: string;
  /** The processor node nearest to the GPU; absent where the system has one node or does not tell. */
  readonly numaNode?: number;
  /** The node that the GPU's own memory is, on machines where it is one (Grace). */
  readonly memoryNumaNode?: number;
  /** A Linux cpulist, e.g. `0-15,32-47`. */
  readonly cpuAffinity?: string;
  readonly cpuAffinitySource?: 'nvml' | 'sysfs';
  readonly pcieGeneration?: number;
  readonly pcieWidth?: number;
  readonly pcieMaxGeneration?: number;
  readonly pcieMaxWidth?: number;
  readonly nvlinks: readonly Nvlink[];
}

export type P2pStatus =
  | 'ok'
  | 'chipsetNotSupported'
  | 'gpuNotSupported'
  | 'ioTopologyNotSupported'
  | 'disabledByDriver'
  | 'notSupported'
  | 'unknown';

export interface GpuPair {
  readonly from: number;
  readonly to: number;
  /** The nearest common point on PCIe. */
  readonly path?: 'board' | 'pcieSwitch' | 'pcieSwitches' | 'hostBridge' | 'numaNode' | 'system' | 'unknown';
  readonly p2p: {
    readonly read?: P2pStatus;
    readonly write?: P2pStatus;
    readonly nvlink?: P2pStatus;
    readonly atomics?: P2pStatus;
    readonly pcie?: P2pStatus;
  };
  /** Links that connect the two, direct or through an NVSwitch; 0 when there are none. */
  readonly nvlinks: number;
  /** Nominal, per direction, all links together. */
  readonly nvlinkBytesPerSecond?: number;
}

export interface Topology {
  readonly gpus: readonly TopologyGpu[];
  readonly pairs: readonly GpuPair[];
  /** Distances between processor nodes as the firmware tells them; 10 is the node itself. */
  readonly numa: readonly { readonly node: number; readonly distances: readonly number[] }[];
}

export interface GpuProcess {
  readonly gpu: number;
  readonly pid: number;
  readonly name?: string;
  readonly memoryBytes?: number;
  readonly kernelResident?: number;
}

export type SampleSource = 'nvml' | 'nvml-field' | 'nvml-slow' | 'nvml-blocking' | 'gpm';

export interface GpuMetrics {
  readonly index: number;
  /** Of a MIG instance: its GPU, and its number there. */
  readonly gpu?: number;
  readonly instance?: number;
  readonly metrics: readonly { readonly metric: MetricId; readonly source: SampleSource }[];
  readonly absent: readonly { readonly metric: MetricId; readonly reason: string }[];
  /** Why GPM's metrics are missing, when they are. */
  readonly gpm?: { readonly name: string; readonly message: string; readonly hint: string };
}

export interface SamplingOptions {
  /** `process.hrtime.bigint()` at the run's time zero: sample times are nanoseconds since then. */
  readonly origin: bigint;
  /** Indices; all visible GPUs when absent. */
  readonly gpus?: readonly number[];
  /** All that the GPUs offer when absent. */
  readonly metrics?: readonly MetricId[];
  /** Milliseconds between readings: NVML (default 100), GPM (200, at least 110), counters that seldom move (1000). */
  readonly periodsMs?: { readonly nvml?: number; readonly gpm?: number; readonly slow?: number };
  /** A GPU that keeps a driver call longer than this is given up (default 3000). */
  readonly hangAfterMs?: number;
  /** Samples kept per GPU between two drains (default 32768, about two minutes). */
  readonly ringCapacity?: number;
  /** Also use the PCIe call that blocks for 40 ms, on GPUs that offer nothing cheaper (default no). */
  readonly blockingPcie?: boolean;
  /**
   * Samples hardware counters every so many microseconds (10 to 1000) in place of GPM: sub-millisecond phases become visible. Needs
   * CUPTI of CUDA 12.6, access to counters, and about 50 µs of processor time a sample (at 10 kHz half a core for each GPU); drain into
   * columns of 100,000 or more.
   */
  readonly highResolution?: { readonly everyMicroseconds: number };
}

/** What the high-resolution source did, told when it stops. */
export interface HighResolution {
  readonly gpu: number;
  readonly metrics: readonly MetricId[];
  readonly refused: readonly { readonly metric: MetricId; readonly reason: string }[];
  /** The first sample's time is known this well. */
  readonly anchorUncertaintyNs: number;
  readonly decoded: number;
  /** The hardware buffer ran over: samples were lost. */
  readonly overflowed: boolean;
  /** Samples decoded over samples due: below 1 there are gaps between some of them. */
  readonly coverage: number;
  readonly cpuTime: number;
}

/** Samples as columns of one length. The addon fills them; they belong to the caller and are used again. */
export interface SampleColumns {
  /** Nanoseconds since the origin. */
  readonly t: Float64Array;
  readonly gpu: Uint16Array;
  /** Index into `metrics`. */
  readonly metric: Uint16Array;
  readonly value: Float64Array;
}

export function sampleColumns(length: number): SampleColumns {
  return {
    t: new Float64Array(length),
    gpu: new Uint16Array(length),
    metric: new Uint16Array(length),
    value: new Float64Array(length),
  };
}

/** A GPU's series ended; no sample of it follows. */
export interface SeriesEnd {
  readonly gpu: number;
  readonly t: number;
  readonly reason: 'lost' | 'resetRequired' | 'driverGone' | 'hung';
  readonly message: string;
}

export interface GpuEvent {
  readonly gpu: number;
  readonly t: number;
  readonly kind: 'xid' | 'eccCorrected' | 'eccUncorrected' | 'recoveryAction' | 'other';
  /** The XID's number for `xid`, otherwise the driver's data. */
  readonly data: number;
}

export interface Drained {
  /** Entries written to the columns: oldest first within each GPU. */
  readonly count: number;
  /** Samples still waiting: drain again when the columns were full. */
  readonly waiting: number;
  /** Samples lost since the start because nobody drained. */
  readonly dropped: number;
  /** Processor time that the sampling threads have used, in nanoseconds. */
  readonly cpuTime: number;
  readonly ended: readonly SeriesEnd[];
  readonly events: readonly GpuEvent[];
}

interface RawNotices {
  readonly ended: readonly {
    readonly gpu: number;
    readonly t: number;
    readonly reason: SeriesEnd['reason'];
    readonly message?: string;
  }[];
  readonly events: readonly {
    readonly gpu: number;
    readonly t: number;
    readonly type: number;
    readonly data: number;
  }[];
}

const eventKinds: Readonly<Record<number, GpuEvent['kind']>> = {
  1: 'eccCorrected',
  2: 'eccUncorrected',
  8: 'xid',
  32768: 'recoveryAction',
};

interface TelemetryLibraries {
  readonly nvml?: string;
  readonly cuda?: string;
  readonly cupti?: string;
}

export class Telemetry {
  private readonly status = new Float64Array(4);
  private readonly addon: RawAddon;
  private readonly session: number;
  private readonly sysfs: string;
  private readonly libraries: TelemetryLibraries;

  private constructor(addon: RawAddon, session: number, sysfs: string, libraries: TelemetryLibraries) {
    this.libraries = libraries;
    this.addon = addon;
    this.session = session;
    this.sysfs = sysfs;
  }

  /** Opens NVML. Takes up to seconds where no driver persistence is on; a driver that hangs is given up after 15 s. */
  static async open(
    addon: RawAddon,
    libraries: TelemetryLibraries,
    sysfs: string,
  ): Promise<Answer<Telemetry>> {
    const opened = parseAnswer<{ session: number }>(await addon.telemetryOpen(libraries.nvml ?? ''));
    return opened.ok ? success(new Telemetry(addon, opened.value.session, sysfs, libraries)) : opened;
  }

  async list(): Promise<Answer<GpuList>> {
    return parseAnswer<GpuList>(await this.addon.telemetryQuery(this.session, 'list', this.sysfs));
  }

  async topology(): Promise<Answer<Topology>> {
    return parseAnswer<Topology>(await this.addon.telemetryQuery(this.session, 'topology', this.sysfs));
  }

  async processes(): Promise<Answer<readonly GpuProcess[]>> {
    const answer = parseAnswer<{ processes: readonly GpuProcess[] }>(
      await this.addon.telemetryQuery(this.session, 'processes', this.sysfs),
    );
    return answer.ok ? success(answer.value.processes) : answer;
  }

  /** Which metrics each GPU offers and from where; asks each of them once (about 120 ms with GPM). */
  async describe(): Promise<Answer<readonly GpuMetrics[]>> {
    const answer = parseAnswer<{ gpus: readonly GpuMetrics[] }>(
      await this.addon.telemetryQuery(this.session, 'describe', this.sysfs),
    );
    return answer.ok ? success(answer.value.gpus) : answer;
  }

  /** Starts the sampling threads; the answer says what will be sampled. */
  async start(options: SamplingOptions): Promise<Answer<readonly GpuMetrics[]>> {
    const {
      origin,
      gpus = [],
      metrics = metricIds,
      periodsMs = {},
      hangAfterMs = 3000,
      ringCapacity = 32768,
      blockingPcie = false,
      highResolution,
    } = options;
    const periods = [periodsMs.nvml ?? 100, periodsMs.gpm ?? 200, periodsMs.slow ?? 1000] as const;
    if (periods.some((period) => !(period > 0)))
      return failure({
        code: 'BAD_PERIOD',
        message: 'A sampling period must be above 0 ms.',
        hint: 'Leave periodsMs out for the rates at which the driver has news.',
      });
    const text = await this.addon.telemetryStart(
      this.session,
      gpus,
      metrics.map(metricNumber),
      origin,
      periods,
      hangAfterMs,
      ringCapacity,
      blockingPcie,
      (highResolution?.everyMicroseconds ?? 0) * 1000,
      this.libraries.cupti ?? '',
      this.libraries.cuda ?? '',
    );
    const answer = parseAnswer<{ gpus: readonly GpuMetrics[] }>(text);
    return answer.ok ? success(answer.value.gpus) : answer;
  }

  /** Takes what was sampled since the last call; also looks after hung GPUs, so call it a few times a second. */
  drain(columns: SampleColumns): Drained {
    const count = this.addon.telemetryDrain(
      this.session,
      columns.t,
      columns.gpu,
      columns.metric,
      columns.value,
      this.status,
    );
    const notices = JSON.parse(this.addon.telemetryNotices(this.session)) as RawNotices;
    return {
      count,
      waiting: this.status[1] ?? 0,
      dropped: this.status[2] ?? 0,
      cpuTime: this.status[3] ?? 0,
      ended: notices.ended.map((end) => ({
        ...end,
        message: end.message ?? `GPU ${end.gpu} has not come back from a driver call.`,
      })),
      events: notices.events.map(({ gpu, t, type, data }) => ({
        gpu,
        t,
        kind: eventKinds[type] ?? 'other',
        data,
      })),
    };
  }

  /** Stops sampling; what was sampled can still be drained until the next start. A thread that hangs inside the driver is left behind. */
  async stop(): Promise<Answer<{ readonly highResolution: readonly HighResolution[] }>> {
    return parseAnswer(await this.addon.telemetryStop(this.session));
  }

  async close(): Promise<void> {
    await this.addon.telemetryClose(this.session);
  }
}
