import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type FakeDriver, fakeDriver, nativeBuild, nativeIsBuilt } from '../../../../native/fakeDrivers.ts';
import { type DoctorCheck, doctorCheck } from '../../../contract/machine.ts';
import { checkDoctor } from './checkDoctor.ts';
import { describeMachine } from './describeMachine.ts';
import type { DoctorDeps } from './doctorDeps.ts';
import { memoryOf } from './memory.ts';

let folder: string;
const drivers: FakeDriver[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'dyno-doctor-'));
});
afterEach(() => {
  for (const driver of drivers.splice(0)) driver.remove();
  rmSync(folder, { recursive: true, force: true });
});

/** Writes a file of the fake machine and gives its path. */
function put(path: string, text: string, executable = false): string {
  const full = join(folder, path);
  mkdirSync(dirname(full), { recursive: true });
  writeFileSync(full, text);
  if (executable) chmodSync(full, 0o755);
  return full;
}
/** A program on the fake PATH. */
const program = (name: string, script: string): string => put(`bin/${name}`, `#!/bin/sh\n${script}\n`, true);

/** A machine on which nothing is installed: no tools, an empty /proc and /sys, no addon. */
function bareMachine(more: Partial<DoctorDeps> = {}): DoctorDeps {
  mkdirSync(join(folder, 'runs'), { recursive: true });
  return {
    nativeFolder: join(folder, 'native/build'),
    runsFolder: join(folder, 'runs'),
    version: '0.1.0',
    env: { PATH: join(folder, 'bin') },
    procfs: join(folder, 'proc'),
    sysfs: join(folder, 'sys'),
    toolFolders: [],
    ...more,
  };
}

async function checked(deps: DoctorDeps): Promise<(id: string) => DoctorCheck> {
  const checks = await checkDoctor(deps);
  return (id) => {
    const found = checks.find((check) => check.id === id);
    if (found === undefined) throw new Error(`no check ${id}`);
    return found;
  };
}

describe('on a machine on which nothing is installed', () => {
  test('every check answers, says what it is for, and has an id of its own', async () => {
    const checks = await checkDoctor(bareMachine());
    for (const check of checks) {
      expect(doctorCheck.parse(check)).toEqual(check);
      expect(check.advice).toMatch(/^Needed for /);
      expect(check.found).not.toBe('');
    }
    expect(new Set(checks.map((c) => c.id)).size).toBe(checks.length);
  });

  test('what is missing says so with a remedy; what Dyno brings along works', async () => {
    const check = await checked(bareMachine());
    for (const id of ['native_addon', 'electron', 'nsys', 'ncu']) {
      expect(check(id)).toMatchObject({ state: 'missing' });
      expect(check(id).advice?.length).toBeGreaterThan('Needed for .'.length + 30);
    }
    expect(check('gpu_counters').found).toBe('no NVIDIA kernel module is loaded');
    for (const id of ['node', 'duckdb', 'runs_folder']) expect(check(id)).toMatchObject({ state: 'ok' });
  });

  test('the machine is described without GPUs, and why', async () => {
    const machine = await describeMachine(bareMachine());
    expect(machine.gpus).toEqual([]);
    expect(machine.gpu_absent_reason).toContain('native addon is not built');
    expect(machine.versions).toMatchObject({ dyno: '0.1.0', node: process.versions.node });
    expect(machine.memory_bytes).toBeGreaterThan(0);
  });
});

describe('Nsight', () => {
  test('is found on PATH with its version', async () => {
    program('nsys', 'echo "NVIDIA Nsight Systems version 2026.4.1.152-264135481v0"');
    const check = await checked(bareMachine());
    expect(check('nsys')).toMatchObject({ state: 'ok' });
    expect(check('nsys').found).toContain('2026.4.1');
  });

  test('an old nsys is limited', async () => {
    program('nsys', 'echo "NVIDIA Nsight Systems version 2022.4.2.1-df9881f"');
    expect((await checked(bareMachine()))('nsys')).toMatchObject({ state: 'limited' });
  });

  test('ncu without permission to read counters is limited, and the line that opens them is given', async () => {
    program('ncu', 'echo "Version 2025.3.1.0 (build 36398880)"');
    put('proc/driver/nvidia/params', 'ResmanDebugLevel: 4294967295\nRmProfilingAdminOnly: 1\n');
    put('proc/self/status', 'Name:\tnode\nCapEff:\t0000000000000000\n');
    const check = await checked(bareMachine());
    expect(check('ncu')).toMatchObject({ state: 'limited' });
    expect(check('gpu_counters')).toMatchObject({ state: 'limited' });
    expect(check('gpu_counters').advice).toContain('NVreg_RestrictProfilingToAdminUsers=0');
  });

  test.each([
    ['an administrator', 'RmProfilingAdminOnly: 1', '000001ffffffffff'],
    ['CAP_PERFMON alone', 'RmProfilingAdminOnly: 1', '0000004000000000'],
    ['everybody', 'RmProfilingAdminOnly: 0', '0000000000000000'],
  ])('counters are open to %s', async (_, parameters, capabilities) => {
    program('ncu', 'echo "Version 2025.3.1.0 (build 36398880)"');
    put('proc/driver/nvidia/params', `${parameters}\n`);
    put('proc/self/status', `CapEff:\t${capabilities}\n`);
    const check = await checked(bareMachine());
    expect(check('gpu_counters')).toMatchObject({ state: 'ok' });
    expect(check('ncu')).toMatchObject({ state: 'ok' });
  });

  test('one that fails is missing, with what it said not taken for a version', async () => {
    program('nsys', 'echo "error while loading shared libraries" >&2; exit 127');
    const check = await checked(bareMachine());
    expect(check('nsys')).toMatchObject({ state: 'missing' });
    expect(check('nsys').found).toContain('does not print a version');
  });

  test('a wrong setting is named, not papered over by PATH', async () => {
    program('nsys', 'echo "NVIDIA Nsight Systems version 2026.4.1"');
    const check = await checked(bareMachine({ tools: { nsys: '/nowhere/nsys' } }));
    expect(check('nsys').found).toContain('/nowhere/nsys');
    expect(check('nsys')).toMatchObject({ state: 'missing' });
  });

  test('one that hangs does not hold up the doctor', async () => {
    program('nsys', 'exec /bin/sleep 4');
    program('ldd', 'exec /bin/sleep 4');
    const electronExecutable = put('electron/electron', '', true);
    const started = performance.now();
    const check = await checked(bareMachine({ limitMs: 1000, electronExecutable }));
    expect(performance.now() - started).toBeLessThan(1500);
    expect(check('nsys').found).toMatch(/^no answer within 0\.\d s/);
    expect(check('window_libraries')).toMatchObject({ state: 'limited' });
    expect(check('node')).toMatchObject({ state: 'ok' });
  });
});

describe('the window', () => {
  test('libraries that the loader does not find are named', async () => {
    program('ldd', 'echo "	libgtk-3.so.0 => not found"; echo "	libc.so.6 => /lib/libc.so.6 (0x0)"');
    put('electron/version', 'v33.2.1\n');
    const electronExecutable = put('electron/electron', '', true);
    const check = await checked(bareMachine({ electronExecutable }));
    expect(check('electron')).toMatchObject({ state: 'ok' });
    expect(check('electron').found).toContain('33.2.1');
    expect(check('window_libraries')).toMatchObject({
      state: 'missing',
      found: 'not installed: libgtk-3.so.0',
    });
  });

  test('set-up’s note of the Electron in use is read', async () => {
    const executable = put('electron/electron', '', true);
    put('.cache/electron.json', JSON.stringify({ source: 'electron', version: '45.4.1', executable }));
    expect((await checked(bareMachine()))('electron').found).toBe(`45.4.1 at ${executable}`);
  });

  test.each([
    [{ WAYLAND_DISPLAY: 'wayland-0' }, 'ok'],
    [{ DISPLAY: ':98765' }, 'limited'],
    [{ DISPLAY: 'other-host:10.0' }, 'ok'],
    [{}, 'limited'],
  ])('display of %j is %s', async (env, state) => {
    expect((await checked(bareMachine({ env })))('display')).toMatchObject({ state });
  });
});

describe('the runs folder', () => {
  test('leaves nothing behind', async () => {
    const deps = bareMachine();
    expect((await checked(deps))('runs_folder')).toMatchObject({ state: 'ok' });
    expect(readdirSync(deps.runsFolder)).toEqual([]);
  });

  test('need not be there yet, and is not made', async () => {
    const runsFolder = join(folder, 'not/yet/runs');
    expect((await checked(bareMachine({ runsFolder })))('runs_folder').found).toContain(
      'made at the first run',
    );
    expect(existsSync(runsFolder)).toBe(false);
  });

  test('under a file is missing', async () => {
    const runsFolder = join(put('a-file', ''), 'runs');
    expect((await checked(bareMachine({ runsFolder })))('runs_folder')).toMatchObject({ state: 'missing' });
  });
});

test('a container’s limit counts, not the machine’s memory', () => {
  put('proc/meminfo', 'MemTotal:       65536000 kB\nMemAvailable:   60000000 kB\n');
  put('sys/fs/cgroup/memory.max', '4294967296\n');
  put('sys/fs/cgroup/memory.current', '1073741824\n');
  const places = { procfs: join(folder, 'proc'), sysfs: join(folder, 'sys') };
  expect(memoryOf(places)).toEqual({ total: 4294967296, available: 3221225472 });
  put('sys/fs/cgroup/memory.max', 'max\n');
  expect(memoryOf(places)).toEqual({ total: 65536000 * 1024, available: 60000000 * 1024 });
});

describe.skipIf(!nativeIsBuilt)('with the addon, on a fake driver', () => {
  function gpuMachine(lines: readonly string[], more: Partial<DoctorDeps> = {}): [DoctorDeps, FakeDriver] {
    const driver = fakeDriver('fake_nvml', lines);
    drivers.push(driver);
    return [bareMachine({ nativeFolder: nativeBuild, libraries: { nvml: driver.path }, ...more }), driver];
  }
  const twoGpus = [
    'gpus 2',
    ...[0, 1].flatMap((gpu) => [
      `text ${gpu} name NVIDIA H200`,
      `text ${gpu} pci 00000000:${gpu}B:00.0`,
      `set ${gpu} memoryTotal 150754820096`,
      `set ${gpu} memoryUsed 1`,
      `set ${gpu} smClock 1980`,
    ]),
    'set 0 gpm.2 81.5',
    'set 1 gpm.2 12.5',
  ];

  test('GPUs alike are counted, GPM is seen', async () => {
    const [deps] = gpuMachine(twoGpus);
    const check = await checked(deps);
    expect(check('gpus')).toMatchObject({ state: 'ok' });
    expect(check('gpus').found).toMatch(/^2 × NVIDIA H200 \(151.GB/);
    expect(check('gpm')).toMatchObject({ state: 'ok' });
    expect(check('gpm').found).toContain('on 2 of 2 GPUs');
    expect(check('nvidia_driver')).toMatchObject({ state: 'ok' });
  });

  test('GPM on one of two is limited; none says what has it', async () => {
    const [some] = gpuMachine(twoGpus.slice(0, -1));
    expect((await checked(some))('gpm')).toMatchObject({ state: 'limited' });
    const [none] = gpuMachine(twoGpus.slice(0, -2));
    expect((await checked(none))('gpm')).toMatchObject({ state: 'missing' });
  });

  test('MIG instances are named, and a GPU in MIG mode without one is said to be of no use', async () => {
    const mig = [0, 1].flatMap((number) => [
      `text ${1000 + number} name NVIDIA H200 MIG 1g.18gb`,
      `set ${1000 + number} memoryTotal 19000000000`,
      `set ${1000 + number} memoryUsed 1`,
    ]);
    const [deps] = gpuMachine([...twoGpus, 'set 0 mig 2', ...mig, 'set 1 mig 0']);
    const { found } = (await checked(deps))('gpus');
    expect(found).toContain('MIG on: 2 × NVIDIA H200 MIG 1g.18gb (19');
    expect(found).toContain('MIG on, without an instance');
  });

  test('a GPU that does not tell its memory has none in the list', async () => {
    const [deps] = gpuMachine(['gpus 1', 'text 0 name NVIDIA H200', 'set 0 smClock 1980']);
    expect((await describeMachine(deps)).gpus).toEqual([{ index: 0, name: 'NVIDIA H200' }]);
  });

  test('the machine lists them', async () => {
    const [deps] = gpuMachine(twoGpus);
    const machine = await describeMachine(deps);
    expect(machine.gpus).toEqual([
      { index: 0, name: 'NVIDIA H200', memory_bytes: 150754820096 },
      { index: 1, name: 'NVIDIA H200', memory_bytes: 150754820096 },
    ]);
    expect(machine.gpu_absent_reason).toBeUndefined();
  });

  test('no driver library is no driver', async () => {
    const deps = bareMachine({
      nativeFolder: nativeBuild,
      libraries: { nvml: '/nowhere/libnvidia-ml.so.1' },
    });
    expect((await describeMachine(deps)).gpu_absent_reason).toBe(
      'no NVIDIA driver: /nowhere/libnvidia-ml.so.1 was not found',
    );
  });

  test('a driver without a GPU says so', async () => {
    const [deps] = gpuMachine(['gpus 0']);
    expect((await checked(deps))('gpus')).toMatchObject({
      state: 'missing',
      found: 'the driver lists no GPU',
    });
    expect((await describeMachine(deps)).gpu_absent_reason).toBe('the driver lists no GPU');
  });

  test('a driver that refuses gives its own words', async () => {
    const [deps] = gpuMachine(['gpus 1', 'fail init 9']);
    const check = await checked(deps);
    expect(check('nvidia_driver').state).not.toBe('ok');
    expect(check('nvidia_driver').found).not.toBe('');
  });

  test('a driver that hangs holds up only its own checks', async () => {
    const [deps, driver] = gpuMachine([...twoGpus, 'hang 0'], { limitMs: 1000 });
    const started = performance.now();
    const check = await checked(deps);
    expect(performance.now() - started).toBeLessThan(1500);
    expect(check('gpus').found).toMatch(/^no answer within/);
    expect(check('native_addon').found).not.toMatch(/^no answer/);
    const machine = await describeMachine({ ...deps, limitMs: 200 });
    expect(machine.gpu_absent_reason).toContain('has not answered');
    driver.script(twoGpus);
  });
});
