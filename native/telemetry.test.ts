import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type FakeDriver, fakeDriver } from './fakeDrivers.ts';
import {
  type MetricId,
  metricIds,
  metrics,
  type Native,
  openNative,
  type SeriesEnd,
  sampleColumns,
  type Telemetry,
  throttleReasonNames,
} from './index.ts';

const folder = join(import.meta.dirname, 'build');
const built = existsSync(join(folder, 'dyno.node'));

const twoGpus = [
  'gpus 2',
  'text 0 name Fake H100',
  'text 0 uuid GPU-0',
  'text 0 pci 00000000:3B:00.0',
  'text 1 name Fake H100',
  'text 1 pci 00000000:86:00.0',
  'set 0 smClock 1980',
  'set 0 gpm.2 81.5',
  'set 0 field.186 350000',
  'set 0 memoryTotal 85899345920',
  'set 0 memoryUsed 1073741824',
  'set 0 process 4242',
  'set 1 smClock 345',
];

const drivers: FakeDriver[] = [];
afterEach(() => {
  for (const driver of drivers.splice(0)) driver.remove();
});

function nativeWith(lines: readonly string[]): { native: Native; driver: FakeDriver } {
  const driver = fakeDriver('fake_nvml', lines);
  drivers.push(driver);
  const native = openNative(folder, { libraries: { nvml: driver.path }, sysfs: join(driver.folder, 'sys') });
  if (!native.available) throw new Error(native.reason);
  return { native, driver };
}

async function opened(lines: readonly string[]): Promise<{ telemetry: Telemetry; driver: FakeDriver }> {
  const { native, driver } = nativeWith(lines);
  const answer = await native.openTelemetry();
  if (!answer.ok) throw new Error(answer.error.message);
  return { telemetry: answer.value, driver };
}

const fast = { nvml: 5, gpm: 110, slow: 20 };

/** Drains until `enough` says so; the values seen, by `gpu metric`. */
async function collect(
  telemetry: Telemetry,
  enough: (seen: Map<string, number[]>, ended: SeriesEnd[]) => boolean,
) {
  const columns = sampleColumns(256);
  const seen = new Map<string, number[]>();
  const ended: SeriesEnd[] = [];
  const giveUp = Date.now() + 8000;
  while (!enough(seen, ended) && Date.now() < giveUp) {
    const drained = telemetry.drain(columns);
    ended.push(...drained.ended);
    for (let i = 0; i < drained.count; i++) {
      const key = `${columns.gpu[i]} ${metricIds[columns.metric[i] ?? -1]}`;
      seen.set(key, [...(seen.get(key) ?? []), columns.value[i] ?? Number.NaN]);
    }
    if (drained.count === 0) await pause(2);
  }
  expect(enough(seen, ended)).toBe(true);
  return { seen, ended };
}

describe('without the addon or a driver', () => {
  it('answers with a reason where the addon is not built', () => {
    const native = openNative('/nowhere');
    expect(native).toMatchObject({ available: false, hint: expect.stringContaining('native/build.mjs') });
  });

  it('lists each metric once, in the order of its number', () => {
    expect(metrics.map((metric) => metric.id)).toEqual([...metricIds]);
    expect(new Set(metricIds).size).toBe(metricIds.length);
    for (const metric of metrics) expect(metric.definition).toMatch(/\.$/);
  });

  it('names throttle reasons bit by bit', () => {
    expect(throttleReasonNames(0x24)).toEqual(['software power cap', 'software thermal']);
    expect(throttleReasonNames(0)).toEqual([]);
  });
});

describe.skipIf(!built)('telemetry through the addon, on the fake driver', () => {
  beforeAll(() => {
    if (!built) console.log('native/build/dyno.node is missing: the addon tests are skipped');
  });

  it('has the same metrics as the addon', () => {
    expect(nativeWith(twoGpus).native.metricIds()).toEqual([...metricIds]);
  });

  it('says in one sentence that the driver is missing', async () => {
    const native = openNative(folder, { libraries: { nvml: '/nowhere/libnvidia-ml.so.1' } });
    if (!native.available) throw new Error(native.reason);
    expect(await native.openTelemetry()).toMatchObject({
      ok: false,
      error: { code: 'LIBRARY_NOT_FOUND', hint: expect.stringContaining('driver') },
    });
  });

  it('gives the driver’s own code when it does not initialise', async () => {
    const { native } = nativeWith(['gpus 1', 'fail init 9']);
    expect(await native.openTelemetry()).toMatchObject({
      ok: false,
      error: { code: 'NVML_ERROR_DRIVER_NOT_LOADED', number: 9, call: 'nvmlInit_v2' },
    });
  });

  it('lists every GPU; what the driver does not tell is absent', async () => {
    const { telemetry } = await opened(twoGpus);
    const list = await telemetry.list();
    expect(list).toMatchObject({
      ok: true,
      value: {
        driver: '580.00.fake',
        cuda: '13.0',
        gpus: [
          {
            index: 0,
            name: 'Fake H100',
            uuid: 'GPU-0',
            pciAddress: '0000:3b:00.0',
            memoryBytes: 85899345920,
          },
          { index: 1 },
        ],
      },
    });
    if (list.ok) expect(list.value.gpus[1]).not.toHaveProperty('memoryBytes');
    expect(await telemetry.processes()).toEqual({
      ok: true,
      value: [{ gpu: 0, pid: 4242, name: 'process-4242', memoryBytes: 5 << 20 }],
    });
    await telemetry.close();
  });

  it('takes NUMA node and processors from the system where NVML is silent', async () => {
    const { telemetry, driver } = await opened([...twoGpus, 'set 0 ancestor 50', 'set 1 ancestor 50']);
    const device = join(driver.folder, 'sys/bus/pci/devices/0000:3b:00.0');
    mkdirSync(device, { recursive: true });
    writeFileSync(join(device, 'numa_node'), '1\n');
    writeFileSync(join(device, 'local_cpulist'), '16-31\n');
    const topology = await telemetry.topology();
    expect(topology).toMatchObject({
      ok: true,
      value: {
        gpus: [{ numaNode: 1, cpuAffinity: '16-31', cpuAffinitySource: 'sysfs', nvlinks: [] }, { index: 1 }],
        pairs: [
          { from: 0, to: 1, path: 'system', nvlinks: 0 },
          { from: 1, to: 0, path: 'system', nvlinks: 0 },
        ],
      },
    });
    await telemetry.close();
  });

  it('describes what each GPU offers and why the rest is missing', async () => {
    const { telemetry } = await opened(twoGpus);
    const described = await telemetry.describe();
    if (!described.ok) throw new Error(described.error.message);
    const [first, second] = described.value;
    expect(first?.metrics).toContainEqual({ metric: 'smUtilisation', source: 'gpm' });
    expect(first?.metrics).toContainEqual({ metric: 'power', source: 'nvml-field' });
    expect(second?.metrics).toEqual([{ metric: 'smClock', source: 'nvml' }]);
    expect(second?.gpm?.name).toBe('NVML_ERROR_NOT_SUPPORTED');
    await telemetry.close();
  });

  it('samples into the columns it is handed, only what the GPU has, only what was asked', async () => {
    const { telemetry } = await opened(twoGpus);
    const wanted: MetricId[] = ['smUtilisation', 'smClock', 'energy'];
    const origin = process.hrtime.bigint();
    const started = await telemetry.start({ origin, metrics: wanted, periodsMs: fast });
    expect(started.ok).toBe(true);
    expect(await telemetry.start({ origin })).toMatchObject({
      ok: false,
      error: { code: 'ALREADY_SAMPLING' },
    });
    const { seen } = await collect(
      telemetry,
      (now) => (now.get('0 smUtilisation')?.length ?? 0) > 1 && now.has('1 smClock'),
    );
    await telemetry.stop();
    expect([...seen.keys()].sort()).toEqual(['0 smClock', '0 smUtilisation', '1 smClock']);
    expect(new Set(seen.get('0 smUtilisation'))).toEqual(new Set([81.5]));
    expect(new Set(seen.get('1 smClock'))).toEqual(new Set([345]));
    // Stopped: start again is allowed, on the same session.
    expect((await telemetry.start({ origin, periodsMs: fast })).ok).toBe(true);
    await telemetry.stop();
    await telemetry.close();
  });

  it('stamps samples on the run’s clock, exactly and in order', async () => {
    const { telemetry } = await opened(twoGpus);
    const origin = process.hrtime.bigint();
    await telemetry.start({ origin, metrics: ['smClock'], gpus: [0], periodsMs: fast });
    const columns = sampleColumns(64);
    let times: number[] = [];
    while (times.length < 10) {
      const { count } = telemetry.drain(columns);
      times = [...times, ...columns.t.subarray(0, count)];
      await pause(2);
    }
    await telemetry.stop();
    const now = Number(process.hrtime.bigint() - origin);
    expect(times).toEqual([...times].sort((a, b) => a - b));
    expect(times.every((t) => Number.isInteger(t) && t >= 0 && t <= now)).toBe(true);
    await telemetry.close();
  });

  it('ends the series of an unplugged GPU with a reason, and goes on with the other', async () => {
    const { telemetry, driver } = await opened(twoGpus);
    await telemetry.start({ origin: process.hrtime.bigint(), periodsMs: fast });
    await collect(telemetry, (seen) => seen.has('0 smClock') && seen.has('1 smClock'));
    driver.script([...twoGpus, 'lost 0']);
    const { ended } = await collect(telemetry, (_, now) => now.length > 0);
    expect(ended).toMatchObject([{ gpu: 0, reason: 'lost', message: 'NVML answered GPU is lost.' }]);
    const { seen } = await collect(telemetry, (now) => (now.get('1 smClock')?.length ?? 0) > 5);
    expect([...seen.keys()].some((key) => key.startsWith('0 '))).toBe(false);
    await telemetry.stop();
    await telemetry.close();
  });

  it('gives up a GPU that hangs, without hanging itself', async () => {
    const { telemetry, driver } = await opened(twoGpus);
    await telemetry.start({ origin: process.hrtime.bigint(), periodsMs: fast, hangAfterMs: 50 });
    await collect(telemetry, (seen) => seen.has('0 smClock'));
    driver.script([...twoGpus, 'hang 0']);
    const { ended } = await collect(telemetry, (_, now) => now.length > 0);
    expect(ended).toMatchObject([{ gpu: 0, reason: 'hung' }]);
    const before = Date.now();
    await telemetry.stop();
    expect(Date.now() - before).toBeLessThan(3000);
    driver.script(twoGpus);
    await telemetry.close();
  });

  it('counts what nobody drained', async () => {
    const { telemetry } = await opened(twoGpus);
    await telemetry.start({
      origin: process.hrtime.bigint(),
      metrics: ['smClock'],
      periodsMs: { ...fast, nvml: 1 },
      ringCapacity: 8,
    });
    const columns = sampleColumns(0);
    // A ring of eight for each of the two GPUs; on a busy machine one of them fills first.
    let drained = telemetry.drain(columns);
    while (drained.dropped === 0 || drained.waiting < 16) {
      await pause(5);
      drained = telemetry.drain(columns);
    }
    expect(drained).toMatchObject({ count: 0, waiting: 16 });
    await telemetry.stop();
    await telemetry.close();
  });

  it('delivers an XID as an event', async () => {
    const { telemetry, driver } = await opened(twoGpus);
    await telemetry.start({ origin: process.hrtime.bigint(), periodsMs: fast });
    driver.script([...twoGpus, 'event 1 8 79']);
    const columns = sampleColumns(64);
    let event = telemetry.drain(columns).events[0];
    while (event === undefined) {
      await pause(5);
      event = telemetry.drain(columns).events[0];
    }
    expect(event).toMatchObject({ gpu: 1, kind: 'xid', data: 79 });
    await telemetry.stop();
    await telemetry.close();
  });

  it('takes hardware counters in place of GPM when asked to', async () => {
    const driver = fakeDriver('fake_nvml', [
      'gpus 1',
      'text 0 pci 00000000:10:00.0',
      'set 0 gpm.2 50',
      'set 0 smClock 1980',
    ]);
    const cuda = fakeDriver('fake_cuda');
    const cupti = fakeDriver('fake_cupti');
    drivers.push(driver, cuda, cupti);
    const native = openNative(folder, {
      libraries: { nvml: driver.path, cuda: cuda.path, cupti: cupti.path },
    });
    if (!native.available) throw new Error(native.reason);
    const answer = await native.openTelemetry();
    if (!answer.ok) throw new Error(answer.error.message);
    const telemetry = answer.value;
    const origin = process.hrtime.bigint();
    const started = await telemetry.start({
      origin,
      periodsMs: fast,
      highResolution: { everyMicroseconds: 100 },
    });
    if (!started.ok) throw new Error(started.error.message);
    expect(started.value[0]?.metrics.map(({ source }) => source)).not.toContain('gpm');
    const { seen } = await collect(
      telemetry,
      (now) => (now.get('0 smUtilisation')?.length ?? 0) > 500 && now.has('0 smClock'),
    );
    expect(new Set(seen.get('0 smUtilisation'))).toEqual(new Set([75]));
    expect(await telemetry.stop()).toMatchObject({
      ok: true,
      value: { highResolution: [{ gpu: 0, overflowed: false, coverage: expect.closeTo(0.98, 1) }] },
    });
    await telemetry.close();
  });

  it('answers stop, start and close that come at once, and drains meanwhile', {
    timeout: 60_000,
  }, async () => {
    const driver = fakeDriver('fake_nvml', ['gpus 1', 'text 0 pci 00000000:10:00.0', 'set 0 smClock 1980']);
    const cuda = fakeDriver('fake_cuda');
    const cupti = fakeDriver('fake_cupti');
    drivers.push(driver, cuda, cupti);
    const native = openNative(folder, {
      libraries: { nvml: driver.path, cuda: cuda.path, cupti: cupti.path },
    });
    if (!native.available) throw new Error(native.reason);
    const columns = sampleColumns(256);
    for (let round = 0; round < 20; round++) {
      const answer = await native.openTelemetry();
      if (!answer.ok) throw new Error(answer.error.message);
      const telemetry = answer.value;
      const start = () =>
        telemetry.start({
          origin: process.hrtime.bigint(),
          periodsMs: fast,
          highResolution: { everyMicroseconds: 100 },
        });
      await start();
      // None is awaited before the next: the workers of all of them run beside each other.
      const stopped = [telemetry.stop(), telemetry.stop()];
      telemetry.drain(columns);
      const again = start();
      stopped.push(telemetry.stop());
      telemetry.drain(columns);
      const closed = telemetry.close();
      telemetry.drain(columns);
      for (const each of await Promise.all(stopped)) expect(each.ok).toBe(true);
      const { ok } = await again;
      expect(typeof ok).toBe('boolean');
      await closed;
      expect(await telemetry.stop()).toMatchObject({ ok: false, error: { code: 'CLOSED' } });
    }
  });

  it('refuses a closed session by name', async () => {
    const { telemetry } = await opened(twoGpus);
    await telemetry.close();
    expect(await telemetry.list()).toMatchObject({ ok: false, error: { code: 'CLOSED' } });
    expect(telemetry.drain(sampleColumns(4)).count).toBe(0);
  });
});
