// What `dyno.node` exports, and how it is found and loaded. Only this folder's own files use these raw functions.
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface RawAddon {
  telemetryMetricIds(): string;
  telemetryOpen(library: string): Promise<string>;
  telemetryQuery(
    session: number,
    what: 'list' | 'topology' | 'processes' | 'describe',
    sysfs: string,
  ): Promise<string>;
  telemetryStart(
    session: number,
    gpus: readonly number[],
    metrics: readonly number[],
    origin: bigint,
    periodsMs: readonly [number, number, number],
    hangAfterMs: number,
    ringCapacity: number,
    blockingPcie: boolean,
    highResolutionNs: number,
    cupti: string,
    cuda: string,
  ): Promise<string>;
  telemetryDrain(
    session: number,
    t: Float64Array,
    gpu: Uint16Array,
    metric: Uint16Array,
    value: Float64Array,
    status: Float64Array,
  ): number;
  telemetryNotices(session: number): string;
  telemetryStop(session: number): Promise<string>;
  telemetryClose(session: number): Promise<string>;

  cudaOpen(library: string): Promise<string>;
  cudaDevices(runtime: number): string;
  cudaContext(runtime: number, device: number): number;
  cudaStream(runtime: number, context: number): number;
  cudaEvent(runtime: number, context: number, timing: boolean): number;
  cudaAllocate(runtime: number, context: number, bytes: number): number;
  cudaAllocatePinned(runtime: number, context: number, bytes: number): number;
  cudaModule(runtime: number, context: number, path: string): number;
  cudaKernel(runtime: number, module: number, name: string): number;
  cudaRelease(runtime: number, handle: number): void;
  cudaWrite(runtime: number, to: number, offset: number, from: ArrayBufferView): void;
  cudaRead(runtime: number, from: number, offset: number, to: ArrayBufferView): void;
  cudaCopy(
    runtime: number,
    stream: number,
    to: number,
    toOffset: number,
    from: number,
    fromOffset: number,
    bytes: number,
  ): void;
  cudaFill(runtime: number, stream: number, to: number, offset: number, byte: number, bytes: number): void;
  cudaLaunch(
    runtime: number,
    stream: number,
    kernel: number,
    shape: Uint32Array,
    types: string,
    values: Float64Array,
  ): void;
  cudaRecord(runtime: number, event: number, stream: number): void;
  cudaWait(runtime: number, stream: number, event: number): void;
  cudaElapsed(runtime: number, start: number, end: number): number;
  cudaReady(runtime: number, streamOrEvent: number): boolean;
  cudaBeginCapture(runtime: number, stream: number): void;
  cudaEndCapture(runtime: number, stream: number): number;
  cudaLaunchGraph(runtime: number, graph: number, stream: number): void;
  cudaEnablePeer(runtime: number, from: number, to: number): void;
  cudaMemoryInfo(runtime: number, context: number): [free: number, total: number];
  cudaSynchronize(runtime: number, streamOrEvent: number): Promise<string>;
  cudaSynchronizeNow(runtime: number, streamOrEvent: number): void;
  cudaAlive(runtime: number): string;
  cudaClose(runtime: number): string;

  ceilings(
    runtime: number,
    device: number,
    kernelFolder: string,
    cublasLt: string,
    nvml: string,
    scale: number,
    progress: (done: number, total: number, id: string) => void,
    cancel: Int32Array,
    nccl: string,
    only: readonly string[],
  ): Promise<string>;

  referenceLinear(
    y: Float64Array,
    x: Float64Array,
    w: Float32Array,
    b: Float32Array,
    rows: number,
    inputs: number,
    outputs: number,
    activation: number,
  ): void;

  activityStart(origin: bigint, cupti: string, calls: boolean, oneByOne: boolean): string;
  activityRecord(on: boolean): string;
  activityFlush(): string;
  activityDrain(rows: Float64Array): number;
  activityNames(from: number): string;
  activityStatus(): string;
  activityStop(): void;
  countersOpen(
    runtime: number,
    context: number,
    cupti: string,
    metrics: readonly string[],
    perKernel: boolean,
    maxRanges: number,
  ): string;
  countersBegin(session: number): string;
  countersPush(session: number, name: string): string;
  countersPop(session: number): string;
  countersEnd(session: number): string;
  countersRead(session: number): string;
  countersClose(session: number): void;

  gemmPlan(
    runtime: number,
    context: number,
    cublasLt: string,
    precision: string,
    m: number,
    n: number,
    k: number,
  ): string;
  gemmRun(
    runtime: number,
    plan: number,
    candidate: number,
    stream: number,
    a: number,
    b: number,
    d: number,
  ): string;
  gemmFree(plan: number): void;

  /** Answers JSON {transformer, …info}; `libraries` is cuda, kernel folder, cuBLASLt; seed < 0: from tensors. */
  transformerOpen(
    libraries: readonly string[],
    device: number,
    shape: Float64Array,
    seed: number,
    names: readonly string[],
    files: readonly string[],
    places: Float64Array,
    progress: Float64Array,
  ): Promise<string>;
  transformerPool(transformer: number, blocks: number, blockTokens: number, host: boolean): string;
  transformerFreePool(pool: number): string;
  transformerInstance(
    transformer: number,
    pool: number,
    maxSequences: number,
    maxTokens: number,
    priority: number,
    smShare: number,
    maxContext: number,
  ): string;
  transformerPass(
    instance: number,
    columns: readonly ArrayBufferView[],
    label: string,
    done: (
      error: string,
      numbers: Float64Array,
      clock: BigInt64Array,
      tokens: Int32Array,
      confidence: Float32Array,
      logits: Float32Array,
      expertTokens: Int32Array,
    ) => void,
  ): void;
  transformerWarm(instance: number, batch: number, prefillTokens: Int32Array): Promise<string>;
  transformerCloseInstance(instance: number): Promise<string>;
  transformerCopy(
    transformer: number,
    from: number,
    to: number,
    pairs: Int32Array,
    firstLayer: number,
    endLayer: number,
    eachLayer: boolean,
    told: (error: string, layer: number, clock: BigInt64Array, clockErrorNs: number, bytes: number) => void,
  ): void;
  transformerMemory(transformer: number): string;
  transformerClose(transformer: number): Promise<string>;
  httpOpen(
    threads: number,
    ringBytes: number,
    kernelStamps: boolean,
    spinNs: number,
    origin: bigint,
    wake: () => void,
  ): string;
  httpConnect(
    session: number,
    connection: number,
    host: string,
    port: number,
    request: Uint8Array,
    due: number,
  ): string;
  httpSend(session: number, connection: number, request: Uint8Array, due: number): string;
  httpDrop(session: number, connection: number): void;
  httpDrain(session: number, rows: Float64Array, bytes: Uint8Array): number;
  httpStatus(session: number): string;
  httpClose(session: number): void;
  stampedServerStart(port: number): string;
  stampedServerStop(server: number): string;

  nvtxPush(name: string): void;
  nvtxPop(): void;
  nvtxMark(name: string): void;
  probeLibraries(cublasLt: string): Promise<string>;
  compileSource(nvrtc: string, source: string, name: string, capability: number): Promise<string>;
}

export type Loaded = { readonly addon: RawAddon } | { readonly reason: string; readonly hint: string };

export function loadAddon(folder: string): Loaded {
  const path = resolve(folder, 'dyno.node');
  if (!existsSync(path)) {
    return {
      reason: `The native addon is not built (${path} is missing).`,
      hint: 'Run `node native/build.mjs`; it needs g++ on Linux. Everything but GPU telemetry and the cuda engine works without it.',
    };
  }
  try {
    return { addon: createRequire(import.meta.url)(path) as RawAddon };
  } catch (error) {
    return {
      reason: `The native addon does not load here: ${error instanceof Error ? error.message : String(error)}`,
      hint: 'Build it on this machine: `node native/build.mjs`.',
    };
  }
}

/**
 * The addon's folder, from a module's `import.meta.url`: beside the sources (`native/build`), beside a bundle in `out/`, or
 * unpacked next to a packaged app's archive, where a `.node` file cannot be opened.
 */
export function nativeFolder(moduleUrl: string): string {
  const here = dirname(fileURLToPath(moduleUrl)).replace(/app\.asar(?=\/|$)/, 'app.asar.unpacked');
  const candidates = [
    join(here, 'build'),
    join(here, 'native', 'build'),
    join(here, '..', 'native', 'build'),
    join(here, '..', '..', 'native', 'build'),
  ];
  return (
    candidates.find((folder) => existsSync(join(folder, 'dyno.node'))) ?? join(here, '..', 'native', 'build')
  );
}
