// CUDA from TypeScript, for runners: contexts, streams, memory, kernels and graphs as small objects. Calls that only queue work are
// immediate; `synchronize()` waits on another thread. A driver's refusal is thrown as a CudaError. Freed objects refuse to be used.
import { join } from 'node:path';
import type { RawAddon } from './addon.ts';
import { type Answer, parseAnswer, success } from './answer.ts';

export interface CudaDevice {
  readonly index: number;
  readonly name?: string;
  readonly uuid?: string;
  readonly pciAddress: string;
  readonly memoryBytes?: number;
  readonly computeCapability: string;
  readonly multiprocessors: number;
  readonly l2Bytes: number;
  readonly sharedBytesPerBlock: number;
  readonly copyEngines: number;
}

/** Thrown by every call below: `code` is the driver's name of it or ours, `hint` says what to do. */
export interface CudaError extends Error {
  readonly name: 'CudaError';
  readonly code: string;
  readonly call: string;
  readonly number: number;
  readonly hint: string;
}
export function isCudaError(error: unknown): error is CudaError {
  return error instanceof Error && error.name === 'CudaError';
}

/** What is alive: at the end of a run these are leaks. */
export interface CudaAlive {
  readonly handles: number;
  readonly bytes: number;
  readonly byKind: Readonly<Record<string, number>>;
  /** Driver objects whose destruction the driver refused. */
  readonly failedReleases: number;
}

/** One argument of a kernel. Buffers stand for their address, optionally with a byte offset; null is the null pointer. */
export type KernelArgument =
  | DeviceBuffer
  | PinnedBuffer
  | { readonly buffer: DeviceBuffer | PinnedBuffer; readonly offset: number }
  | null
  | { readonly i32: number }
  | { readonly u32: number }
  | { readonly i64: number }
  | { readonly f32: number }
  | { readonly f64: number };

export interface LaunchShape {
  readonly grid: readonly [x: number, y?: number, z?: number];
  readonly block: readonly [x: number, y?: number, z?: number];
  /** Dynamic shared memory; above 48 KiB the kernel's limit is raised. */
  readonly sharedBytes?: number;
}

interface Owner {
  readonly addon: RawAddon;
  readonly runtime: number;
}

abstract class CudaObject {
  /** The addon's number for this object. */
  readonly handle: number;
  protected readonly owner: Owner;
  constructor(owner: Owner, handle: number) {
    this.owner = owner;
    this.handle = handle;
  }
  /** Frees it now; any later use of it throws HANDLE_FREED. */
  free(): void {
    this.owner.addon.cudaRelease(this.owner.runtime, this.handle);
  }
}

abstract class Memory extends CudaObject {
  readonly bytes: number;
  constructor(owner: Owner, handle: number, bytes: number) {
    super(owner, handle);
    this.bytes = bytes;
  }
  /** Copies host bytes in, and is done when it returns. */
  write(from: ArrayBufferView, offset = 0): void {
    this.owner.addon.cudaWrite(this.owner.runtime, this.handle, offset, from);
  }
  /** Copies bytes out; the caller has synchronised with whatever writes them. */
  read<T extends ArrayBufferView>(to: T, offset = 0): T {
    this.owner.addon.cudaRead(this.owner.runtime, this.handle, offset, to);
    return to;
  }
}

export class DeviceBuffer extends Memory {
  readonly kind = 'device';
}
/** Page-locked host memory: the only host memory that copies asynchronously and at the link's full rate. */
export class PinnedBuffer extends Memory {
  readonly kind = 'pinned';
}

export class CudaEvent extends CudaObject {
  readonly kind = 'event';
  /** Milliseconds since another event's record; both must be done. */
  millisecondsSince(start: CudaEvent): number {
    return this.owner.addon.cudaElapsed(this.owner.runtime, start.handle, this.handle);
  }
  get ready(): boolean {
    return this.owner.addon.cudaReady(this.owner.runtime, this.handle);
  }
}

export class CudaKernel extends CudaObject {
  readonly kind = 'kernel';
}

export class CudaModule extends CudaObject {
  readonly kind = 'module';
  kernel(name: string): CudaKernel {
    const { addon, runtime } = this.owner;
    return new CudaKernel(this.owner, addon.cudaKernel(runtime, this.handle, name));
  }
}

export class CudaGraph extends CudaObject {
  readonly kind = 'graph';
}

interface EncodedArguments {
  readonly types: string;
  readonly values: Float64Array;
}

/** Encodes `[buffer, {u32: 7}]` as types `pu` and values `[handle, 0, 7]`: a pointer takes two values. */
function encodeArguments(kernelArguments: readonly KernelArgument[]): EncodedArguments {
  let types = '';
  const values: number[] = [];
  for (const argument of kernelArguments) {
    if (argument === null) {
      types += 'n';
      values.push(0);
    } else if (argument instanceof Memory) {
      types += 'p';
      values.push(argument.handle, 0);
    } else if ('buffer' in argument) {
      types += 'p';
      values.push(argument.buffer.handle, argument.offset);
    } else if ('i32' in argument) {
      types += 'i';
      values.push(argument.i32);
    } else if ('u32' in argument) {
      types += 'u';
      values.push(argument.u32);
    } else if ('i64' in argument) {
      types += 'l';
      values.push(argument.i64);
    } else if ('f32' in argument) {
      types += 'f';
      values.push(argument.f32);
    } else {
      types += 'd';
      values.push(argument.f64);
    }
  }
  return { types, values: Float64Array.from(values) };
}

export class CudaStream extends CudaObject {
  readonly kind = 'stream';

  launch(kernel: CudaKernel, shape: LaunchShape, kernelArguments: readonly KernelArgument[]): void {
    const [gx, gy = 1, gz = 1] = shape.grid;
    const [bx, by = 1, bz = 1] = shape.block;
    const sizes = Uint32Array.of(gx, gy, gz, bx, by, bz, shape.sharedBytes ?? 0);
    const { types, values } = encodeArguments(kernelArguments);
    this.owner.addon.cudaLaunch(this.owner.runtime, this.handle, kernel.handle, sizes, types, values);
  }
  /** Between any two buffers, in stream order; between two GPUs too. */
  copy(
    to: DeviceBuffer | PinnedBuffer,
    from: DeviceBuffer | PinnedBuffer,
    bytes: number,
    toOffset = 0,
    fromOffset = 0,
  ): void {
    const { addon, runtime } = this.owner;
    addon.cudaCopy(runtime, this.handle, to.handle, toOffset, from.handle, fromOffset, bytes);
  }
  fill(to: DeviceBuffer, byte: number, bytes = to.bytes, offset = 0): void {
    this.owner.addon.cudaFill(this.owner.runtime, this.handle, to.handle, offset, byte, bytes);
  }
  record(event: CudaEvent): void {
    this.owner.addon.cudaRecord(this.owner.runtime, event.handle, this.handle);
  }
  /** Later work of this stream waits for the event. */
  wait(event: CudaEvent): void {
    this.owner.addon.cudaWait(this.owner.runtime, this.handle, event.handle);
  }
  /** Captures what `queue` launches here into a graph; nothing runs until the graph is launched. */
  capture(queue: () => void): CudaGraph {
    const { addon, runtime } = this.owner;
    addon.cudaBeginCapture(runtime, this.handle);
    try {
      queue();
    } catch (error) {
      // The stream must leave capture mode whatever happened; what was captured is thrown away.
      new CudaGraph(this.owner, addon.cudaEndCapture(runtime, this.handle)).free();
      throw error;
    }
    return new CudaGraph(this.owner, addon.cudaEndCapture(runtime, this.handle));
  }
  launchGraph(graph: CudaGraph): void {
    this.owner.addon.cudaLaunchGraph(this.owner.runtime, graph.handle, this.handle);
  }
  get ready(): boolean {
    return this.owner.addon.cudaReady(this.owner.runtime, this.handle);
  }
  /** Resolves when everything queued is done; a fault of that work is its error. */
  async synchronize(): Promise<Answer<void>> {
    const text = await this.owner.addon.cudaSynchronize(this.owner.runtime, this.handle);
    return text === '' ? success(undefined) : parseAnswer<void>(text);
  }
  /** Blocks this thread: for tight measured loops in a runner. */
  synchronizeNow(): void {
    this.owner.addon.cudaSynchronizeNow(this.owner.runtime, this.handle);
  }
}

export class CudaContext extends CudaObject {
  readonly kind = 'context';
  private readonly kernelFolder: string;
  /** For this folder's own files: the addon's number of the runtime that it belongs to. */
  get runtime(): number {
    return this.owner.runtime;
  }
  constructor(owner: Owner, handle: number, kernelFolder: string) {
    super(owner, handle);
    this.kernelFolder = kernelFolder;
  }
  stream(): CudaStream {
    const { addon, runtime } = this.owner;
    return new CudaStream(this.owner, addon.cudaStream(runtime, this.handle));
  }
  event({ timing = true }: { readonly timing?: boolean } = {}): CudaEvent {
    const { addon, runtime } = this.owner;
    return new CudaEvent(this.owner, addon.cudaEvent(runtime, this.handle, timing));
  }
  allocate(bytes: number): DeviceBuffer {
    const { addon, runtime } = this.owner;
    return new DeviceBuffer(this.owner, addon.cudaAllocate(runtime, this.handle, bytes), bytes);
  }
  allocatePinned(bytes: number): PinnedBuffer {
    const { addon, runtime } = this.owner;
    return new PinnedBuffer(this.owner, addon.cudaAllocatePinned(runtime, this.handle, bytes), bytes);
  }
  /** Loads a fatbin, cubin or PTX file: one of ours by name (`'ceilings'`), or any by path. */
  module(nameOrPath: string): CudaModule {
    const path = nameOrPath.includes('/') ? nameOrPath : join(this.kernelFolder, `${nameOrPath}.fatbin`);
    const { addon, runtime } = this.owner;
    return new CudaModule(this.owner, addon.cudaModule(runtime, this.handle, path));
  }
  /** Lets kernels and copies of this device reach `other`'s memory directly. */
  enablePeer(other: CudaContext): void {
    this.owner.addon.cudaEnablePeer(this.owner.runtime, this.handle, other.handle);
  }
  memory(): { readonly freeBytes: number; readonly totalBytes: number } {
    const [freeBytes, totalBytes] = this.owner.addon.cudaMemoryInfo(this.owner.runtime, this.handle);
    return { freeBytes, totalBytes };
  }
}

/** The CUDA driver, opened. */
export class Cuda {
  private readonly owner: Owner;
  private readonly kernelFolder: string;

  private constructor(owner: Owner, kernelFolder: string) {
    this.owner = owner;
    this.kernelFolder = kernelFolder;
  }

  static async open(addon: RawAddon, kernelFolder: string, library = ''): Promise<Answer<Cuda>> {
    const opened = parseAnswer<{ runtime: number }>(await addon.cudaOpen(library));
    return opened.ok ? success(new Cuda({ addon, runtime: opened.value.runtime }, kernelFolder)) : opened;
  }

  devices(): readonly CudaDevice[] {
    const answer = JSON.parse(this.owner.addon.cudaDevices(this.owner.runtime)) as { devices: CudaDevice[] };
    return answer.devices;
  }

  /** The device's primary context, which every CUDA library of the process shares. */
  context(device: number): CudaContext {
    const { addon, runtime } = this.owner;
    return new CudaContext(this.owner, addon.cudaContext(runtime, device), this.kernelFolder);
  }

  alive(): CudaAlive {
    return JSON.parse(this.owner.addon.cudaAlive(this.owner.runtime)) as CudaAlive;
  }

  /** Frees everything and tells what nobody had freed. */
  close(): CudaAlive {
    return JSON.parse(this.owner.addon.cudaClose(this.owner.runtime)) as CudaAlive;
  }

  /** For this folder's own files. */
  get raw(): Owner {
    return this.owner;
  }
}

/** Marks what `body` does in a profiler's timeline; free when none is attached. */
export function inRange<T>(addon: Pick<RawAddon, 'nvtxPush' | 'nvtxPop'>, name: string, body: () => T): T {
  addon.nvtxPush(name);
  try {
    return body();
  } finally {
    addon.nvtxPop();
  }
}
