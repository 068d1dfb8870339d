import {
  type Answer,
  type BatchingParameters,
  type CopyParameters,
  type Cuda,
  continuousBatching,
  copyOverlap,
  deviceCopy,
  type GemmParameters,
  gemm,
  isCudaError,
  type KernelCounters,
  type KernelTrace,
  type MemoryParameters,
  memory,
  type Native,
  type NativeStatus,
  type OverlapParameters,
  openTopologyProbe,
  openWorkload,
  type RoutingParameters,
  routingStatic,
  type WorkloadEnvironment,
  type WorkloadSession,
} from '../../native/index.ts';
import type { KernelDevice } from '../../workloads/kernels/device.ts';
import { type KernelSpec, recordsKernels } from '../../workloads/kernels/kernelSpec.ts';
import type { CounterMode } from '../../workloads/kernels/recording.ts';
import { fullRoofline, metricsOf } from '../../workloads/roofline/counters.ts';
import { openDrivers } from './nativeDrivers.ts';
import type { InRange } from './profilerRanges.ts';
import { RunFailure } from './runFailure.ts';
import { findingsOf, wiringOf } from './topologyFindings.ts';

type Values = Readonly<Record<string, number>>;
type Opener = (
  environment: WorkloadEnvironment,
  variants: readonly string[],
  values: Values,
) => WorkloadSession;

/** Looks at all GPUs, where the others work on one. */
const probeTarget = 'labs/dynamic_router:topology_probe';

/** The native workload of each other kernel target; the values have passed the target's own parameters. */
const workloads: Readonly<Record<string, Opener>> = {
  'ch17:memory': (environment, variants, values) =>
    openWorkload(environment, memory, variants, values as Partial<MemoryParameters>),
  'ch15:continuous_batching': (environment, variants, values) =>
    openWorkload(environment, continuousBatching, variants, values as Partial<BatchingParameters>),
  'ch17:routing_static': (environment, variants, values) =>
    openWorkload(environment, routingStatic, variants, values as Partial<RoutingParameters>),
  'native:copy_overlap': (environment, variants, values) =>
    openWorkload(environment, copyOverlap, variants, values as Partial<OverlapParameters>),
  'native:copy': (environment, variants, values) =>
    openWorkload(environment, deviceCopy, variants, values as Partial<CopyParameters>),
  'native:gemm': (environment, variants, values) =>
    openWorkload(environment, gemm, variants, values as Partial<GemmParameters>),
};

export interface OpenDevice extends KernelDevice {
  /** Where the run records its kernels or counts them. */
  readonly recorder?: KernelTrace;
  openCounters(mode: CounterMode): Answer<KernelCounters>;
  inRange: InRange;
  /** Remarks about this device, for the log. */
  readonly remark?: string;
  close(): void;
}

export interface DeviceRequest {
  readonly index: number;
  /** Time zero of the run's clock (CLOCK_MONOTONIC). */
  readonly originNs: bigint;
  readonly target: string;
  readonly record?: KernelSpec['record'];
}

/** Opens one GPU. Throws RunFailure `missing` with what is missing and how to get it. */
export async function openCudaDevice(
  folder: string,
  { index, originNs, target, record }: DeviceRequest,
): Promise<OpenDevice> {
  const recorder = startRecorder(folder, originNs, record);
  const { native, cuda } = await openCuda(folder);
  const device = cuda.devices()[index];
  if (device === undefined) {
    cuda.close();
    throw new RunFailure({
      code: 'missing',
      message: `engine cuda: there is no GPU ${index} (${cuda.devices().length} found)`,
      hint: '`dyno topology` lists the GPUs of this machine.',
    });
  }
  const status = await native.status();
  const built = kernelSourceOf(status.ok ? status.value : undefined);
  if (built === 'none') {
    cuda.close();
    throw new RunFailure({
      code: 'missing',
      message: 'engine cuda: this build of Dyno has no GPU kernels',
      hint: 'Build it where nvcc is installed (`node native/build.mjs`), or install libnvrtc: then they are compiled at their first use.',
    });
  }
  const wiring = target === probeTarget ? await wiringOf(native) : undefined;
  const context = cuda.context(index);
  return {
    index,
    name: device.name ?? `GPU ${index}`,
    ...(built === 'nvrtc'
      ? { remark: 'this build has no kernel files: NVRTC compiles the kernels now, which takes some seconds' }
      : {}),
    prepare(name, variants, parameters) {
      const open = workloads[name];
      if (open === undefined && name !== probeTarget) throw new RangeError(`no native workload for ${name}`);
      const values = Object.fromEntries(
        Object.entries(parameters).filter((entry): entry is [string, number] => typeof entry[1] === 'number'),
      );
      if (open === undefined) {
        const probe = openTopologyProbe(cuda, variants, values);
        return { ...probe, findings: (warmUp) => findingsOf(cuda, wiring, probe.links(), warmUp) };
      }
      return open(native.workloadEnvironment(context), variants, values);
    },
    ...(recorder === undefined ? {} : { recorder }),
    openCounters: (mode) =>
      native.countKernels(context, {
        metrics: metricsOf(fullRoofline),
        perKernel: mode === 'kernel',
      }),
    inRange: (name, body) => native.inRange(name, body),
    close: () => {
      recorder?.stop();
      context.free();
      cuda.close();
    },
  };
}

/** Before CUDA is opened, so that CUPTI sees everything. */
function startRecorder(
  folder: string,
  originNs: bigint,
  record: KernelSpec['record'],
): KernelTrace | undefined {
  const isRecorded = recordsKernels({ record });
  if (!isRecorded && record?.counters === undefined) return undefined;
  const native = openDrivers(folder);
  if (!native.available)
    throw new RunFailure({ code: 'missing', message: `engine cuda: ${native.reason}`, hint: native.hint });
  const started = native.traceKernels({
    originNs,
    calls: isRecorded,
    oneByOne: record?.kernels === 'serial',
  });
  if (started.ok) {
    // Preparing the variants is no part of what is recorded.
    started.value.record(false);
    return started.value;
  }
  throw new RunFailure({
    code: 'missing',
    message: `recording kernels: ${started.error.message}`,
    hint: started.error.hint,
  });
}

/** The source of the kernels: files built by nvcc, else their sources compiled here by NVRTC. */
function kernelSourceOf(status: NativeStatus | undefined): 'built' | 'nvrtc' | 'none' {
  if (status === undefined) return 'built';
  if (process.env['DYNO_KERNELS'] !== 'nvrtc' && status.kernels.length > 0) return 'built';
  return status.nvrtc.available && status.kernelSources.length > 0 ? 'nvrtc' : 'none';
}

/** The CUDA driver. Throws RunFailure `missing`. */
export async function openCuda(folder: string): Promise<{ readonly native: Native; readonly cuda: Cuda }> {
  const native = openDrivers(folder);
  if (!native.available)
    throw new RunFailure({ code: 'missing', message: `engine cuda: ${native.reason}`, hint: native.hint });
  const opened = await native.openCuda();
  if (!opened.ok)
    throw new RunFailure({
      code: 'missing',
      message: `engine cuda: ${opened.error.message}`,
      hint: opened.error.hint,
    });
  return { native, cuda: opened.value };
}

/** A driver's refusal as an error value; anything else as it came. */
export const asCudaFailure = (thrown: unknown): unknown =>
  isCudaError(thrown)
    ? new RunFailure({
        code: 'failed',
        message: `${thrown.call}: ${thrown.code}: ${thrown.message}`,
        hint: thrown.hint,
      })
    : thrown;
