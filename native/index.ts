// The public face of native/: nothing else of this folder is imported from outside.
//
//   const native = openNative(nativeFolder(import.meta.url));
//   if (!native.available) …                    // native.reason, native.hint: Dyno goes on without it
//   const telemetry = await native.openTelemetry();
//   const cuda = await native.openCuda();
//   if (cuda.ok) await native.measureCeilings(cuda.value, { onProgress });
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { KernelTrace, type TraceOptions } from './activity.ts';
import { loadAddon, type RawAddon } from './addon.ts';
import { type Answer, parseAnswer } from './answer.ts';
import { type CeilingOptions, type Ceilings, measureCeilings } from './ceilings.ts';
import { type CounterOptions, KernelCounters } from './counters.ts';
import { Cuda, type CudaContext, inRange } from './cuda.ts';
import { HttpReceiver, type HttpReceiverOptions, StampedServer } from './httpReceiver.ts';
import { type BatchingParameters, continuousBatching } from './pairs/continuousBatching.ts';
import { copyOverlap, type OverlapParameters } from './pairs/copyOverlap.ts';
import { type CopyParameters, deviceCopy } from './pairs/deviceCopy.ts';
import { type GemmParameters, gemm } from './pairs/gemm.ts';
import { measureWorkload } from './pairs/measure.ts';
import { type MemoryParameters, memory } from './pairs/memory.ts';
import { type RoutingParameters, routingStatic } from './pairs/routingStatic.ts';
import type { WorkloadEnvironment } from './pairs/workload.ts';
import { Telemetry } from './telemetry.ts';
import { Transformer, type TransformerOptions } from './transformer.ts';

export {
  type ActivityRows,
  type ActivityStatus,
  activityColumn,
  activityKinds,
  activityWidth,
  KernelTrace,
} from './activity.ts';
export { nativeFolder } from './addon.ts';
export type { Answer, NativeError } from './answer.ts';
export type { Ceiling, CeilingOptions, Ceilings } from './ceilings.ts';
export { type CountedRange, type CounterOptions, KernelCounters } from './counters.ts';
export * from './cuda.ts';
export {
  HttpReceiver,
  type HttpReceiverOptions,
  type HttpReceiverStatus,
  StampedServer,
} from './httpReceiver.ts';
export {
  type Metric,
  type MetricId,
  type MetricKind,
  type MetricUnit,
  metricIds,
  metricNumber,
  metricOf,
  metrics,
  throttleReasonNames,
} from './metrics.ts';
export type { MeasureOptions, VariantResult, WorkloadResult } from './pairs/measure.ts';
export { openWorkload, type WorkloadSession } from './pairs/session.ts';
export { openTopologyProbe, type ProbedLink, type TopologyProbe } from './pairs/topologyProbe.ts';
export type {
  CudaWorkload,
  Output,
  Prepared,
  Tolerance,
  Verification,
  Work,
  WorkloadEnvironment,
} from './pairs/workload.ts';
export { randomWeight, weightDistribution, weightKey } from './randomWeights.ts';
export * from './telemetry.ts';
export {
  type CopyOptions,
  type CopyResult,
  type ExpertShape,
  type InstanceOptions,
  KvPool,
  type KvPoolOptions,
  type PassAnswer,
  type PassPlan,
  type PassResult,
  type RopeScaling,
  rowFromDevice,
  rowPrefill,
  rowSamples,
  type TensorSource,
  Transformer,
  type TransformerFamily,
  type TransformerInfo,
  TransformerInstance,
  type TransformerOptions,
  type TransformerShape,
  type WeightSource,
} from './transformer.ts';
export type {
  BatchingParameters,
  CopyParameters,
  GemmParameters,
  MemoryParameters,
  OverlapParameters,
  RoutingParameters,
};
export { continuousBatching, copyOverlap, deviceCopy, gemm, measureWorkload, memory, routingStatic };

/** Where to look for driver libraries; the system's own when absent. Tests put the fakes here. */
export interface DriverLibraries {
  readonly nvml?: string;
  readonly cuda?: string;
  readonly cublasLt?: string;
  readonly cupti?: string;
  readonly nccl?: string;
}

export interface OpenOptions {
  readonly libraries?: DriverLibraries;
  /** Stands in for `/sys` and `/proc` in tests. */
  readonly sysfs?: string;
  readonly procfs?: string;
}

export interface NoNative {
  readonly available: false;
  /** One sentence. */
  readonly reason: string;
  readonly hint: string;
}

export type LibraryStatus =
  | { readonly available: true; readonly path: string }
  | { readonly available: false; readonly reason: string };

/** What this machine offers, for `dyno doctor`; drivers are not opened by it. */
export interface NativeStatus {
  readonly folder: string;
  /** Kernel files beside the addon; none when it was built without nvcc. */
  readonly kernels: readonly string[];
  /** Their sources beside them: NVRTC compiles these where there are no files. */
  readonly kernelSources: readonly string[];
  readonly nvtx: boolean;
  readonly cublasLt: LibraryStatus;
  readonly cupti: LibraryStatus;
  readonly nccl: LibraryStatus;
  readonly nvrtc: LibraryStatus;
  /** Who may read hardware counters (ncu, CUPTI): absent where no NVIDIA kernel module is loaded. */
  readonly counters?: 'everyone' | 'administrators';
}

/** The loaded addon. Opening a driver is a second step, because it may be missing, slow or hung. */
export class Native {
  readonly available = true;
  readonly folder: string;
  private readonly addon: RawAddon;
  private readonly options: OpenOptions;

  constructor(addon: RawAddon, folder: string, options: OpenOptions) {
    this.addon = addon;
    this.folder = folder;
    this.options = options;
  }

  private get kernelFolder(): string {
    return join(this.folder, 'kernels');
  }

  async status(): Promise<Answer<NativeStatus>> {
    const answer = parseAnswer<Omit<NativeStatus, 'folder' | 'kernels' | 'kernelSources' | 'counters'>>(
      await this.addon.probeLibraries(this.options.libraries?.cublasLt ?? process.env['DYNO_CUBLASLT'] ?? ''),
    );
    if (!answer.ok) return answer;
    const kernels = existsSync(this.kernelFolder)
      ? readdirSync(this.kernelFolder).filter((name) => name.endsWith('.fatbin'))
      : [];
    const source = join(this.kernelFolder, 'source');
    const kernelSources = existsSync(source)
      ? readdirSync(source).filter((name) => name.endsWith('.cu'))
      : [];
    const counters = counterAccess(this.options.procfs ?? '/proc');
    return {
      ok: true,
      value: {
        folder: this.folder,
        kernels,
        kernelSources,
        ...answer.value,
        ...(counters === undefined ? {} : { counters }),
      },
    };
  }

  /** Compiles one of our kernel sources by NVRTC without touching a GPU: `capability` is 90 for compute capability 9.0. */
  async compileKernels(
    file: string,
    capability: number,
    nvrtc = '',
  ): Promise<
    Answer<{
      readonly version: string;
      readonly target: string;
      readonly bytes: number;
      readonly log: string;
    }>
  > {
    const text = readFileSync(join(this.kernelFolder, 'source', file), 'utf8');
    return parseAnswer(await this.addon.compileSource(nvrtc, text, file, capability));
  }

  openTelemetry(): Promise<Answer<Telemetry>> {
    return Telemetry.open(this.addon, this.options.libraries ?? {}, this.options.sysfs ?? '/sys');
  }

  /** Runners only: the host keeps no CUDA context. */
  openCuda(): Promise<Answer<Cuda>> {
    return Cuda.open(this.addon, this.kernelFolder, this.options.libraries?.cuda);
  }

  /** Loads a transformer onto a GPU: runners only. */
  openTransformer(options: TransformerOptions): Promise<Answer<Transformer>> {
    return Transformer.open(this.addon, this.kernelFolder, this.options.libraries ?? {}, options);
  }

  /** Measures the card's roofs in under 30 s. */
  measureCeilings(cuda: Cuda, options: CeilingOptions = {}): Promise<Answer<Ceilings>> {
    return measureCeilings(this.addon, cuda, this.kernelFolder, this.options.libraries ?? {}, options);
  }

  /** What the CUDA workloads of this folder run in. */
  workloadEnvironment(context: CudaContext): WorkloadEnvironment {
    const cublasLt = this.options.libraries?.cublasLt ?? process.env['DYNO_CUBLASLT'] ?? '';
    return { context, addon: this.addon, cublasLt };
  }

  /** Records this process's kernels from now on. Before the CUDA context is made, so that CUPTI misses nothing. */
  traceKernels(options: TraceOptions): Answer<KernelTrace> {
    const library = this.options.libraries?.cupti;
    return KernelTrace.start(this.addon, { ...options, ...(library === undefined ? {} : { library }) });
  }

  /** Hardware counters of what runs in `context`. */
  countKernels(context: CudaContext, options: Omit<CounterOptions, 'library'>): Answer<KernelCounters> {
    const library = this.options.libraries?.cupti;
    return KernelCounters.open(this.addon, context, {
      ...options,
      ...(library === undefined ? {} : { library }),
    });
  }

  /** Sends HTTP requests at their due times and stamps what comes back; runners only. */
  openHttpReceiver(options: HttpReceiverOptions): Answer<HttpReceiver> {
    return HttpReceiver.open(this.addon, options);
  }

  /** The ruler for a client's lateness, on loopback, in a thread of this process. `port` 0 takes a free one. */
  startStampedServer(port = 0): Answer<StampedServer> {
    return StampedServer.start(this.addon, port);
  }

  /** Names what `body` does in a profiler's timeline (NVTX); free when none is attached. */
  inRange<T>(name: string, body: () => T): T {
    return inRange(this.addon, name, body);
  }

  /** The two halves of `inRange`, for a stretch that does not end where it began. */
  pushRange(name: string): void {
    this.addon.nvtxPush(name);
  }
  popRange(): void {
    this.addon.nvtxPop();
  }

  /** The addon's own metric list, for the test that holds it to `metrics`. */
  metricIds(): readonly string[] {
    return JSON.parse(this.addon.telemetryMetricIds()) as string[];
  }
}

// The kernel module's parameter list has a line `RmProfilingAdminOnly: 0`.
function counterAccess(procfs: string): NativeStatus['counters'] {
  try {
    const found = /RmProfilingAdminOnly: (\d)/.exec(
      readFileSync(join(procfs, 'driver/nvidia/params'), 'utf8'),
    );
    return found === null ? undefined : found[1] === '0' ? 'everyone' : 'administrators';
  } catch {
    return undefined;
  }
}

/** Loads the addon from `folder` (`nativeFolder(import.meta.url)` finds it). Never throws: Dyno works without it. */
export function openNative(folder: string, options: OpenOptions = {}): Native | NoNative {
  const loaded = loadAddon(folder);
  return 'addon' in loaded
    ? new Native(loaded.addon, folder, options)
    : { available: false, reason: loaded.reason, hint: loaded.hint };
}
