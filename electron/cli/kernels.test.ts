// The whole kernel path on the fake CUDA driver: command line, host, runner, addon; what is wrong is seen and said.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type FakeDriver, fakeDriver } from '../../native/fakeDrivers.ts';
import { bundleEntry } from '../host/testing/bundleEntry.ts';

const native = join(import.meta.dirname, '../../native');
const isBuilt =
  existsSync(join(native, 'build/dyno.node')) &&
  existsSync(join(native, 'build/fake/libfake_cuda.so')) &&
  existsSync(join(native, 'build/kernels/workloads.fatbin'));

let cli: string;
let home: string;
const drivers: FakeDriver[] = [];

beforeAll(async () => {
  if (!isBuilt) return;
  cli = await bundleEntry('electron/cli/main.ts', 'cli.mjs');
  await bundleEntry('electron/runner/main.ts', 'runner.mjs');
  // A bundle looks for the addon beside itself.
  if (!existsSync(join(dirname(cli), 'native'))) symlinkSync(native, join(dirname(cli), 'native'));
});
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'dyno-kernels-'));
});
afterEach(() => {
  for (const driver of drivers.splice(0)) driver.remove();
  rmSync(home, { recursive: true, force: true });
});

/** Runs `dyno …` with a driver that answers by this script. */
async function dyno(
  args: readonly string[],
  cuda: readonly string[] = ['devices 1'],
  more: Readonly<Record<string, string>> = {},
) {
  const driver = fakeDriver('fake_cuda', cuda);
  drivers.push(driver);
  const environment = {
    ...process.env,
    DYNO_HOME: home,
    NO_COLOR: '1',
    DYNO_CUDA: driver.path,
    DYNO_NVML: '/nowhere/libnvidia-ml.so.1',
    DYNO_CUBLASLT: '/nowhere/libcublasLt.so',
    DYNO_CEILINGS_SCALE: '0.001',
    ...more,
  };
  const child = spawn(process.execPath, [cli, ...args], { env: environment });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (bytes) => {
    stdout += bytes;
  });
  child.stderr.on('data', (bytes) => {
    stderr += bytes;
  });
  const status = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return { status, stdout, stderr };
}

const small = ['--set', 'width=64', '--set', 'rows=4', '--set', 'batches=2', '--set', 'warm_up=1'];
const bench = (...more: string[]) => ['bench', 'ch17:memory', ...small, '--iterations', '8', ...more];
const runs = () =>
  existsSync(join(home, 'runs'))
    ? readdirSync(join(home, 'runs')).filter((name) => !name.startsWith('.'))
    : [];
const json = (text: string): Record<string, never> => JSON.parse(text);

describe.skipIf(!isBuilt)(
  'kernels from the command line, on the fake driver (skipped without the built addon)',
  () => {
    test('both variants in turn, verified, compared in pairs, kept as rows, reported', async () => {
      const report = join(home, 'report.html');
      const { status, stdout, stderr } = await dyno(bench('--json', '--report', report));
      expect([status, stderr]).toEqual([0, expect.not.stringContaining('Error')]);
      const document = JSON.parse(stdout);
      expect(document).toMatchObject({
        kind: 'kernel',
        iterations: 8,
        verification: { status: 'passed' },
        variants: { baseline: { iteration_ms: { n: 8 } }, optimized: { iteration_ms: { n: 8 } } },
      });
      expect(document.method).toContain('whole rounds');
      expect(document.comparison.map(({ metric }: { metric: string }) => metric)).toEqual([
        'workload_ms.p50',
        'workload_ms.mean',
      ]);
      const page = readFileSync(report, 'utf8');
      expect(page).toContain('Times of the iterations');
      expect(page).toContain('✓ passed');

      const [run = ''] = runs();
      const manifest = JSON.parse(readFileSync(join(home, 'runs', run, 'manifest.json'), 'utf8'));
      // Nine rounds (one of warm-up) of two variants; prepare, warm-up, measure and two verifications.
      expect(manifest.files['kernels.parquet'].rows).toBe(18);
      expect(manifest.files['spans.parquet'].rows).toBe(5);
      const csv = join(home, 'kernels.csv');
      expect(
        (await dyno(['export', run, '--table', 'kernels', '--format', 'csv', '--out', csv])).status,
      ).toBe(0);
      const rows = readFileSync(csv, 'utf8').trim().split('\n');
      const columns = rows[0]?.split(',') ?? [];
      const cell = (row: number, name: string) => rows[row + 1]?.split(',')[columns.indexOf(name)];
      const seen = (row: number) => ['kind', 'variant', 'iteration', 'source'].map((name) => cell(row, name));
      expect([seen(0), seen(1), seen(2), seen(3)]).toEqual([
        ['iteration', 'baseline', '', 'host'],
        ['iteration', 'optimized', '', 'host'],
        ['iteration', 'baseline', '0', 'host'],
        ['iteration', 'optimized', '0', 'host'],
      ]);
      expect(Number(cell(3, 'duration_ns'))).toBeGreaterThan(0);
      // Bytes of 64 × 4 × 2 elements: four each as floats, one as they are.
      expect([cell(2, 'bytes'), cell(3, 'bytes')].map(Number)).toEqual([2048, 512]);

      const compared = await dyno(['compare', run]);
      expect(compared.status).toBe(0);
      expect(compared.stdout).toMatch(/Iteration p50 .*×/);
      expect(compared.stdout).toContain('verification: passed');
    }, 60_000);

    test('two runs of a target are compared variant by variant', async () => {
      for (const variant of ['baseline', 'optimized'])
        expect(
          (await dyno(['run', 'ch17:memory', ...small, '--iterations', '6', '--variant', variant])).status,
        ).toBe(0);
      const [a = '', b = ''] = runs().sort();
      const { status, stdout } = await dyno(['compare', a, b, '--json']);
      expect(status).toBe(0);
      expect(JSON.parse(stdout)).toMatchObject({
        verification: { status: 'passed' },
        differences: expect.arrayContaining([expect.objectContaining({ path: 'variants.0' })]),
      });
      const alone = await dyno(['compare', a]);
      expect([alone.status, alone.stderr]).toEqual([
        2,
        expect.stringContaining('nothing to compare within it'),
      ]);
    }, 60_000);

    test('one wrong element: verification fails, the status is 1, and no verdict is given', async () => {
      const { status, stdout } = await dyno(bench('--json'), ['wrong linearTile']);
      expect(status).toBe(1);
      expect(json(stdout)).toMatchObject({
        verification: { status: 'failed' },
        verdict: 'The outputs are wrong: the times mean nothing.',
      });
    }, 60_000);

    test.each([
      ['no memory', 'fail cuMemAlloc_v2 2', /cuMemAlloc_v2: CUDA_ERROR_OUT_OF_MEMORY/, 'Free device memory'],
      [
        'a launch that fails',
        'fail cuLaunchKernel 719 30',
        /cuLaunchKernel: CUDA_ERROR_LAUNCH_FAILED/,
        'compute-sanitizer',
      ],
      [
        'a device that is lost',
        'fail cuStreamSynchronize 719 12',
        /cuStreamSynchronize: CUDA_ERROR_LAUNCH_FAILED/,
        'context is lost',
      ],
    ])(
      '%s is a typed error with what to do, and a failed run',
      async (_, script, message, hint) => {
        const { status, stderr } = await dyno(bench(), [script]);
        expect(status).toBe(1);
        expect(stderr).toMatch(message);
        expect(stderr).toContain(hint);
        expect(stderr).not.toContain('    at ');
        const [run = ''] = runs();
        expect(JSON.parse(readFileSync(join(home, 'runs', run, 'manifest.json'), 'utf8'))).toMatchObject({
          status: 'failed',
          error: { code: 'failed', message: expect.stringMatching(message) },
        });
      },
      60_000,
    );

    test('a driver that takes the process down leaves an interrupted run with its rows', async () => {
      const { status } = await dyno(bench(), ['crash cuStreamSynchronize 60']);
      expect(status).toBe(1);
      const [run = ''] = runs();
      const manifest = JSON.parse(readFileSync(join(home, 'runs', run, 'manifest.json'), 'utf8'));
      expect(manifest).toMatchObject({ status: 'interrupted' });
      expect(manifest.files['kernels.parquet'].rows).toBeGreaterThan(0);
    }, 60_000);

    test('no GPU: status 3 and one line', async () => {
      const { status, stderr } = await dyno(bench(), ['fail cuInit 100']);
      expect(status).toBe(3);
      expect(stderr).toContain('engine cuda: cuInit');
      expect(runs()).toEqual([]);
    }, 60_000);

    const twoGpus = [
      'gpus 2',
      ...[0, 1].flatMap((index) => [
        `text ${index} name Fake H200`,
        `text ${index} pci 00000000:1${index}:00.0`,
        `set ${index} ancestor 40`,
        `set ${index} cpuAffinity 15`,
        `set ${index} field.164 26562`,
        ...[0, 1, 2, 3, 4].map((ability) => `set ${index} p2p.${ability} 0`),
        ...[0, 1, 2].map((link) => `set ${index} link.${link}.remote ${1 - index}`),
      ]),
    ];
    function fakeNvml(lines: readonly string[]): string {
      const driver = fakeDriver('fake_nvml', lines);
      drivers.push(driver);
      return driver.path;
    }

    test('the topology probe measures every link of two GPUs and knows what is near them', async () => {
      const probe = [
        'bench',
        'topology_probe',
        '--set',
        'mebibytes=1',
        '--set',
        'warm_up=1',
        '--iterations',
        '6',
      ];
      const { status, stdout } = await dyno([...probe, '--json'], ['devices 2'], {
        DYNO_NVML: fakeNvml(twoGpus),
      });
      expect(status).toBe(0);
      const { findings, verification, variants } = JSON.parse(stdout);
      expect(verification.status).toBe('passed');
      // Two host links a GPU and two ordered pairs, each way of sending them.
      expect(variants.baseline.verification).toHaveLength(6);
      expect(findings.links).toHaveLength(12);
      expect(findings.gpus).toMatchObject([
        { index: 0, pciAddress: '0000:10:00.0', cpuAffinity: '0-3' },
        { index: 1, pciAddress: '0000:11:00.0' },
      ]);
      expect(findings.links.at(-1)).toMatchObject({
        from: 'gpu 1',
        to: 'gpu 0',
        variant: 'optimized',
        how: 'peer access, directly',
        nvlinks: 3,
        bytesPerSecond: expect.any(Number),
      });
      const refused = await dyno([...probe, '--json'], ['devices 2', 'fail cuCtxEnablePeerAccess 217']);
      expect(JSON.parse(refused.stdout).findings.links.at(-1).how).toContain('no peer access');
      const short = await dyno([...probe, '--json'], ['devices 2', 'wrong cuMemcpyPeerAsync']);
      expect(short.status).toBe(1);
      expect(JSON.parse(short.stdout).verification.status).toBe('failed');
    }, 60_000);

    test('the peer matrix, and what each link carries', async () => {
      const more = { DYNO_NVML: fakeNvml(twoGpus) };
      const { status, stdout } = await dyno(['topology'], ['devices 2'], more);
      expect(status).toBe(0);
      expect(stdout).toMatch(/GPU 0 +— +3 NVLink, yes/);
      expect(stdout).toMatch(/GPU 1 +3 NVLink, yes +—/);
      const nccl = fakeDriver('fake_nccl');
      drivers.push(nccl);
      const measured = await dyno(['topology', '--measure', '--json'], ['devices 2'], {
        ...more,
        DYNO_NCCL: nccl.path,
      });
      const document = JSON.parse(measured.stdout);
      expect(document.measured.nccl).toBe('2.28.3');
      expect(document.measured.links.map(({ id }: { id: string }) => id)).toEqual(
        expect.arrayContaining(['hostToDevicePinned:1', 'peerCopy:0>1', 'peerCopy:1>0', 'nccl:allToAll']),
      );
      const without = await dyno(['topology', '--measure'], ['devices 2'], {
        ...more,
        DYNO_NCCL: '/nowhere/libnccl.so.2',
      });
      expect(without.stdout).toContain(
        'not measured: nccl:allReduce: /nowhere/libnccl.so.2 could not be opened',
      );
    }, 60_000);

    test('a build without kernel files compiles them, and says so in the log of the run', async () => {
      const nvrtc = fakeDriver('fake_nvrtc');
      drivers.push(nvrtc);
      const forced = { DYNO_KERNELS: 'nvrtc', DYNO_NVRTC: nvrtc.path };
      expect((await dyno(bench(), ['devices 1'], forced)).status).toBe(0);
      const [run = ''] = runs();
      const log = join(home, 'log.csv');
      await dyno(['export', run, '--table', 'log', '--format', 'csv', '--out', log]);
      expect(readFileSync(log, 'utf8')).toContain('NVRTC compiles the kernels now');
      const missing = await dyno(bench(), ['devices 1'], {
        DYNO_KERNELS: 'nvrtc',
        DYNO_NVRTC: '/nowhere/libnvrtc.so',
      });
      expect([missing.status, missing.stderr]).toEqual([3, expect.stringContaining('install libnvrtc')]);
    }, 60_000);

    test('the ceilings, and what a machine without cuBLASLt cannot measure', async () => {
      const { status, stdout } = await dyno(['ceilings', '--json']);
      expect(status).toBe(0);
      const document = JSON.parse(stdout);
      const ids = document.ceilings.map(({ id }: { id: string }) => id);
      expect(ids).toEqual(
        expect.arrayContaining(['deviceCopy', 'hbmRead', 'hostToDevicePinned', 'graphNode']),
      );
      expect(document.waived.find(({ id }: { id: string }) => id === 'gemm:bf16').reason).toContain(
        'cublasLt',
      );
    }, 60_000);

    test('ceilings that the driver refuses are a typed error', async () => {
      const none = await dyno(['ceilings', '--gpu', '7'], ['devices 1']);
      expect([none.status, none.stderr]).toEqual([1, expect.stringContaining('device')]);
      const full = await dyno(['ceilings', '--json'], ['fail cuMemAlloc_v2 2']);
      // Each measurement is waived with its reason; the ones that need no memory are there.
      expect(full.status).toBe(0);
      expect(
        JSON.parse(full.stdout).waived.find(({ id }: { id: string }) => id === 'hbmRead').reason,
      ).toContain('out of memory');
    }, 60_000);
  },
);
