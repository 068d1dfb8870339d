// Every kernel, copy, CUDA call and NVTX range of this process, by CUPTI's activity records (`cupti/activity_trace.h`): for a runner.
import type { RawAddon } from './addon.ts';
import { type Answer, type NativeError, parseAnswer, success } from './answer.ts';

/** Columns of a recorded row, as the addon writes them; −1 is none. */
export const activityColumn = {
  kind: 0,
  name: 1,
  start: 2,
  end: 3,
  device: 4,
  lane: 5,
  correlation: 6,
  threads: 7,
  blockThreads: 8,
  registers: 9,
  sharedBytes: 10,
  bytes: 11,
} as const;
export const activityWidth = 12;
export const activityKinds = ['', 'kernel', 'memcpy', 'memset', 'driver', 'runtime', 'range'] as const;

/** Rows of one drain: `rows` × `activityWidth` numbers; times are ns since the recorder's origin. */
export interface ActivityRows {
  readonly rows: number;
  readonly data: Float64Array;
  /** All names so far; `name` is an index into it (of a copy: a CUpti_ActivityMemcpyKind). */
  readonly names: readonly string[];
}

export interface ActivityStatus {
  readonly records: number;
  /** Records that CUPTI had no room for, and buffers that it asked for in vain. */
  readonly dropped: number;
  readonly refusedBuffers: number;
}

export interface TraceOptions {
  /** CLOCK_MONOTONIC at time zero. */
  readonly originNs: bigint;
  /** Without them only what runs on the GPU is recorded. */
  readonly calls?: boolean;
  /**
   * Kernels wait for each other and are timed from outside. Else they may overlap and are timed from within, which slows a
   * kernel of very many blocks (a million: 9 % on an H200).
   */
  readonly oneByOne?: boolean;
}

export class KernelTrace {
  readonly library: string;
  /** CUPTI's version number: 130001 is CUDA 13.0 Update 1. */
  readonly version: number;
  /** Stamped with the recorder's own clock; else CUPTI's clock is tied to it at each drain. */
  readonly ownClock: boolean;
  private readonly addon: RawAddon;
  private readonly names: string[] = [];
  private readonly chunk = new Float64Array(4096 * activityWidth);

  private constructor(
    addon: RawAddon,
    about: { readonly library: string; readonly version: number; readonly ownClock: boolean },
  ) {
    this.addon = addon;
    this.library = about.library;
    this.version = about.version;
    this.ownClock = about.ownClock;
  }

  /** One a process. */
  static start(addon: RawAddon, options: TraceOptions & { readonly library?: string }): Answer<KernelTrace> {
    const started = parseAnswer<{ library: string; version: number; ownClock: boolean }>(
      addon.activityStart(
        options.originNs,
        options.library ?? '',
        options.calls ?? true,
        options.oneByOne ?? false,
      ),
    );
    return started.ok ? success(new KernelTrace(addon, started.value)) : started;
  }

  /** Off and on again: tells what recording costs. */
  record(on: boolean): void {
    answered(this.addon.activityRecord(on));
  }

  /**
   * What has come since the last time, in no order. Full buffers come by themselves; `flush` asks CUPTI for the rest: call it
   * while the GPU is idle, and not between measured iterations, since the next launch then pays for new buffers (0.2 ms seen).
   */
  take({ flush = true }: { readonly flush?: boolean } = {}): ActivityRows {
    if (flush) answered(this.addon.activityFlush());
    const chunks: Float64Array[] = [];
    let rows = 0;
    for (;;) {
      const count = this.addon.activityDrain(this.chunk);
      if (count > 0) chunks.push(this.chunk.slice(0, count * activityWidth));
      rows += count;
      if (count * activityWidth < this.chunk.length) break;
    }
    this.names.push(...(JSON.parse(this.addon.activityNames(this.names.length)) as string[]));
    const data = new Float64Array(rows * activityWidth);
    let at = 0;
    for (const each of chunks) {
      data.set(each, at);
      at += each.length;
    }
    return { rows, data, names: this.names };
  }

  status(): ActivityStatus {
    return answered<ActivityStatus>(this.addon.activityStatus());
  }

  stop(): void {
    this.addon.activityStop();
  }
}

/** A refusal in the middle of a run, thrown as the CUDA calls throw theirs. */
export function answered<T>(text: string): T {
  const answer = parseAnswer<T>(text);
  if (answer.ok) return answer.value;
  throw cudaErrorOf(answer.error);
}

function cudaErrorOf({ code, message, hint, call = '', number = 0 }: NativeError): Error {
  return Object.assign(new Error(message), { name: 'CudaError', code, hint, call, number });
}
