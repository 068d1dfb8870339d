import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { type FakeDriver, fakeDriver } from './fakeDrivers.ts';
import { type Cuda, type CudaError, isCudaError, type Native, openNative } from './index.ts';

const folder = join(import.meta.dirname, 'build');
const built = existsSync(join(folder, 'dyno.node'));

const drivers: FakeDriver[] = [];
afterEach(() => {
  for (const driver of drivers.splice(0)) driver.remove();
});

async function opened(
  lines: readonly string[] = [],
): Promise<{ cuda: Cuda; native: Native; driver: FakeDriver }> {
  const driver = fakeDriver('fake_cuda', lines);
  drivers.push(driver);
  writeFileSync(join(driver.folder, 'any.fatbin'), 'fake');
  const libraries = {
    cuda: driver.path,
    cublasLt: '/nowhere/libcublasLt.so',
    nvml: '/nowhere/libnvidia-ml.so',
  };
  const native = openNative(folder, { libraries });
  if (!native.available) throw new Error(native.reason);
  const answer = await native.openCuda();
  if (!answer.ok) throw new Error(answer.error.message);
  return { cuda: answer.value, native, driver };
}

async function withVariable<T>(name: string, value: string, body: () => Promise<T>): Promise<T> {
  const before = process.env[name];
  process.env[name] = value;
  try {
    return await body();
  } finally {
    if (before === undefined) delete process.env[name];
    else process.env[name] = before;
  }
}

function errorOf(body: () => void): CudaError {
  try {
    body();
  } catch (error) {
    if (isCudaError(error)) return error;
    throw error;
  }
  throw new Error('expected a CudaError');
}

describe.skipIf(!built)('CUDA through the addon, on the fake driver', () => {
  it('says what is missing where there is no driver', async () => {
    const native = openNative(folder, { libraries: { cuda: '/nowhere/libcuda.so.1' } });
    if (!native.available) throw new Error(native.reason);
    expect(await native.openCuda()).toMatchObject({ ok: false, error: { code: 'LIBRARY_NOT_FOUND' } });
  });

  it('lists devices', async () => {
    const { cuda } = await opened(['devices 2']);
    expect(cuda.devices()).toMatchObject([
      {
        index: 0,
        name: 'Fake GPU 0',
        computeCapability: '9.0',
        pciAddress: '0000:10:00.0',
        multiprocessors: 2,
      },
      { index: 1 },
    ]);
    cuda.close();
  });

  it('moves bytes, launches kernels and replays graphs', async () => {
    const { cuda, driver } = await opened();
    const context = cuda.context(0);
    const stream = context.stream();
    const kernel = context.module(join(driver.folder, 'any.fatbin')).kernel('saxpy');
    const y = context.allocate(16);
    const x = context.allocate(16);
    const pinned = context.allocatePinned(16);
    y.write(Float32Array.of(1, 2, 3, 4));
    x.write(Float32Array.of(1, 1, 1, 1));
    const launch = () => stream.launch(kernel, { grid: [1], block: [32] }, [y, x, { f32: 0.5 }, { u32: 4 }]);
    launch();
    const graph = stream.capture(launch);
    stream.launchGraph(graph);
    stream.copy(pinned, y, 16);
    expect(await stream.synchronize()).toEqual({ ok: true, value: undefined });
    expect([...pinned.read(new Float32Array(4))]).toEqual([2, 3, 4, 5]);
    const start = context.event();
    const end = context.event();
    stream.record(start);
    stream.record(end);
    expect(end.millisecondsSince(start)).toBeGreaterThanOrEqual(0);
    expect(stream.ready).toBe(true);
    expect(cuda.close().handles).toBe(10);
  });

  it('throws what the driver said, with the call, the code and what to do', async () => {
    const { cuda, driver } = await opened();
    const context = cuda.context(0);
    driver.script(['fail cuMemAlloc_v2 2']);
    const error = errorOf(() => context.allocate(1024));
    expect(error).toMatchObject({ code: 'CUDA_ERROR_OUT_OF_MEMORY', call: 'cuMemAlloc_v2', number: 2 });
    expect(error.hint).not.toBe('');
    cuda.close();
  });

  it('refuses freed objects', async () => {
    const { cuda } = await opened();
    const buffer = cuda.context(0).allocate(64);
    buffer.free();
    expect(errorOf(() => buffer.read(new Uint8Array(4))).code).toBe('HANDLE_FREED');
    expect(errorOf(() => buffer.free()).code).toBe('HANDLE_FREED');
    cuda.close();
    expect(errorOf(() => cuda.context(0)).code).toBe('CLOSED');
  });

  it('answers a fault of queued work when it is waited for', async () => {
    const { cuda, driver } = await opened();
    const stream = cuda.context(0).stream();
    driver.script(['fail cuStreamSynchronize 700']);
    expect(await stream.synchronize()).toMatchObject({
      ok: false,
      error: { code: 'CUDA_ERROR_ILLEGAL_ADDRESS', hint: expect.stringContaining('compute-sanitizer') },
    });
    driver.script(['devices 1']);
    cuda.close();
  });

  it('leaves capture mode when queueing fails', async () => {
    const { cuda } = await opened();
    const stream = cuda.context(0).stream();
    expect(() =>
      stream.capture(() => {
        throw new Error('mine');
      }),
    ).toThrow('mine');
    expect(cuda.alive().byKind).toEqual({ context: 1, stream: 1 });
    cuda.close();
  });

  it('counts what was never freed', async () => {
    const { cuda } = await opened();
    const context = cuda.context(0);
    context.allocate(1000);
    context.allocatePinned(24);
    expect(cuda.close()).toEqual({
      handles: 3,
      bytes: 1024,
      byKind: { context: 1, buffer: 1, 'pinned buffer': 1 },
      failedReleases: 0,
    });
  });

  it('measures ceilings with progress, and waives what this machine lacks', async () => {
    const { cuda, native } = await opened();
    const steps: string[] = [];
    const answer = await native.measureCeilings(cuda, {
      scale: 1e-4,
      onProgress: ({ id }) => steps.push(id),
    });
    if (!answer.ok) throw new Error(answer.error.message);
    const measured = answer.value.ceilings.map((ceiling) => ceiling.id);
    expect(measured).toEqual(expect.arrayContaining(['deviceCopy', 'hostToDevicePinned', 'launchLatency']));
    expect(answer.value.waived.map((waived) => waived.id)).toEqual(
      expect.arrayContaining(['gemm:fp8', 'smClockUnderLoad']),
    );
    expect(steps).toContain('gemm:bf16');
    for (const { least, value, most } of answer.value.ceilings) {
      expect(least).toBeLessThanOrEqual(value);
      expect(value).toBeLessThanOrEqual(most);
    }
    cuda.close();
  });

  it('measures collectives over several GPUs, and says in a sentence where there is no NCCL', async () => {
    const { cuda, native } = await opened(['devices 2']);
    const nccl = fakeDriver('fake_nccl');
    drivers.push(nccl);
    const only = ['nccl', 'peerCopy'];
    const measured = await withVariable('DYNO_NCCL', nccl.path, () =>
      native.measureCeilings(cuda, { scale: 1e-4, only }),
    );
    if (!measured.ok) throw new Error(measured.error.message);
    expect(measured.value.nccl).toBe('2.28.3');
    expect(measured.value.ceilings.map(({ id }) => id)).toEqual([
      'peerCopy:0>1',
      'nccl:allReduce',
      'nccl:allToAll',
      'nccl:sendReceive',
      'nccl:allReduceLatency',
    ]);
    const without = await withVariable('DYNO_NCCL', '/nowhere/libnccl.so.2', () =>
      native.measureCeilings(cuda, { scale: 1e-4, only: ['nccl:allReduce'] }),
    );
    if (!without.ok) throw new Error(without.error.message);
    expect(without.value.ceilings).toEqual([]);
    expect(without.value.waived[0]?.reason).toMatch(/^\/nowhere\/libnccl.so.2 could not be opened/);
    cuda.close();
  });

  it('compiles its kernels where they were not built', async (context) => {
    const native = openNative(folder);
    if (!native.available) throw new Error(native.reason);
    const status = await native.status();
    if (!status.ok || !status.value.nvrtc.available)
      context.skip('libnvrtc is not here (DYNO_NVRTC names one)');
    if (status.ok)
      for (const file of status.value.kernelSources) {
        const compiled = await native.compileKernels(file, 90);
        expect(compiled, file).toMatchObject({ ok: true, value: { target: 'sm_90', log: '' } });
      }
  });

  it('stops ceilings when asked to', async () => {
    const { cuda, native } = await opened();
    const answer = await native.measureCeilings(cuda, { scale: 1e-4, signal: AbortSignal.abort() });
    if (!answer.ok) throw new Error(answer.error.message);
    expect(answer.value.ceilings.length).toBeLessThan(2);
    expect(answer.value.waived.at(-1)?.reason).toBe('Cancelled.');
    cuda.close();
  });

  it('reports what doctor needs', async () => {
    const { native } = await opened();
    const status = await native.status();
    expect(status).toMatchObject({ ok: true, value: { folder, cublasLt: { available: false } } });
  });
});
