import { afterEach, describe, expect, it } from 'vitest';
import { type FakeDriver, fakeDriver, nativeBuild, nativeIsBuilt } from '../../../../native/fakeDrivers.ts';
import { openNative } from '../../../../native/index.ts';
import { type GpuReadings, GpuTelemetry, samplesOf } from './gpuTelemetry.ts';
import { metricNames } from './nativeMetrics.ts';

const twoGpus = ['gpus 2', 'set 0 smClock 1980', 'set 0 gpm.2 81.5', 'set 1 smClock 345'];

const open: { telemetry: GpuTelemetry; driver: FakeDriver }[] = [];
afterEach(async () => {
  for (const { telemetry, driver } of open.splice(0)) {
    await telemetry.close();
    driver.remove();
  }
});

function onFakes(lines: readonly string[]) {
  const driver = fakeDriver('fake_nvml', lines);
  const telemetry = new GpuTelemetry(
    () => openNative(nativeBuild, { libraries: { nvml: driver.path } }),
    {},
    [20, 40],
  );
  open.push({ telemetry, driver });
  return { telemetry, driver };
}

/** Listens until `enough` is true of what came. */
function until(telemetry: GpuTelemetry, enough: (heard: GpuReadings) => boolean): Promise<GpuReadings> {
  return new Promise((resolve) => {
    const stop = telemetry.listen((readings) => {
      if (!enough(readings)) return;
      stop();
      resolve(readings);
    });
  });
}

const rowsOf = ({ rows, gpu, metric, value }: GpuReadings) =>
  Array.from({ length: rows }, (_, i) => ({
    gpu: gpu[i],
    metric: metricNames[metric[i] ?? -1],
    value: value[i],
  }));
const has = (readings: GpuReadings, gpu: number, metric: string) =>
  rowsOf(readings).some((row) => row.gpu === gpu && row.metric === metric);

describe.skipIf(!nativeIsBuilt)('the GPUs as a stream, on the fake driver', () => {
  it('comes in registry ids and units, per GPU', async () => {
    const { telemetry } = onFakes(twoGpus);
    const shares = await until(telemetry, (readings) => has(readings, 0, 'sm_util'));
    expect(rowsOf(shares).find((row) => row.metric === 'sm_util')?.value).toBeCloseTo(0.815, 6);
    const clocks = await until(telemetry, (readings) => has(readings, 1, 'sm_clock_mhz'));
    expect(rowsOf(clocks).find((row) => row.gpu === 1)?.value).toBe(345);
  });

  it('becomes sample rows on the clock of a run', async () => {
    const { telemetry } = onFakes(twoGpus);
    const readings = await until(telemetry, ({ rows }) => rows > 0);
    const batch = samplesOf(readings, readings.originNs - 1_000_000_000n);
    expect(batch.rows).toBe(readings.rows);
    expect(batch.columns[1]).toEqual(readings.timeNs.map((time) => time + 1e9));
    expect(batch.columns[2]).toMatchObject({ dictionary: expect.arrayContaining(['gpu:0']) });
  });

  it.each([
    ['lost 0', 'the GPU is gone'],
    ['hang 0', 'the driver does not answer'],
  ])('ends with a gap and a reason: %s', { timeout: 15_000 }, async (line, words) => {
    const { telemetry, driver } = onFakes(twoGpus);
    await until(telemetry, (readings) => has(readings, 0, 'sm_clock_mhz'));
    const ending = new Promise<GpuReadings>((resolve) => {
      const stop = telemetry.listen((readings) => {
        // The counters that a GPU lacks are reported at the start too.
        if (!readings.notices.some(({ level }) => level === 'error')) return;
        stop();
        resolve(readings);
      });
    });
    // The second listener comes before sampling stops for the first: sampling continues with its known series.
    await until(telemetry, (readings) => has(readings, 0, 'sm_clock_mhz'));
    driver.script([...twoGpus, line]);
    const ended = await ending;
    expect(ended.notices.find(({ level }) => level === 'error')).toMatchObject({
      level: 'error',
      gpu: 0,
      message: expect.stringContaining(words),
    });
    const gap = rowsOf(ended).filter((row) => row.gpu === 0 && row.metric === 'sm_clock_mhz');
    expect(gap.at(-1)?.value).toBeNaN();
    driver.script(twoGpus);
  });

  it('asks for GPM again, later each time, where another process has it', async () => {
    const taken = [...twoGpus, 'fail 0 nvmlGpmSampleGet 19'];
    const { telemetry, driver } = onFakes(taken);
    const heard: string[] = [];
    const share = new Promise<void>((resolve) => {
      telemetry.listen((readings) => {
        heard.push(...readings.notices.map(({ message }) => message));
        // Refused twice: then the other process ends.
        if (heard.filter((message) => message.includes('asked again')).length === 2) driver.script(twoGpus);
        if (has(readings, 0, 'sm_util')) resolve();
      });
    });
    await share;
    const attempts = heard.filter((message) => message.includes('asked again'));
    expect(attempts[0]).toContain('another process reads GPM');
    expect(attempts[0]).toContain('in 0.02 s');
    expect(attempts[1]).toContain('in 0.04 s');
    expect(heard.at(-1)).toContain('GPM answers now');
  });

  it('does not ask again for what the GPU does not have', async () => {
    const { telemetry } = onFakes(['gpus 1', 'set 0 smClock 345']);
    const first = await until(telemetry, ({ notices }) => notices.length > 0);
    expect(first.notices.map(({ message }) => message).join()).not.toContain('asked again');
  });

  it('samples MIG instances under their GPU, with what they offer and nothing else', async () => {
    const { telemetry } = onFakes([
      'gpus 1',
      'set 0 mig 2',
      'set 0 smClock 1980',
      'set 1000 memoryTotal 19000000000',
      'set 1000 memoryUsed 4000000000',
      'set 1001 memoryTotal 19000000000',
      'set 1001 memoryUsed 5000000000',
    ]);
    const readings = await until(telemetry, (heard) => has(heard, 2, 'memory_used_bytes'));
    const { columns } = samplesOf(readings, readings.originNs);
    expect(columns[2]).toMatchObject({ dictionary: ['gpu:0', 'gpu:0.0', 'gpu:0.1'] });
    expect(rowsOf(readings).find((row) => row.gpu === 2 && row.metric === 'memory_used_bytes')?.value).toBe(
      5e9,
    );
    expect(has(readings, 1, 'sm_clock_mhz')).toBe(false);
    expect(has(readings, 0, 'memory_used_bytes')).toBe(false);
  });

  it('asks once where there is no driver, and says why', async () => {
    let asked = 0;
    const telemetry = new GpuTelemetry(() => {
      asked++;
      return openNative(nativeBuild, { libraries: { nvml: '/nowhere/libnvidia-ml.so.1' } });
    });
    telemetry.listen(() => undefined);
    await telemetry.settled();
    telemetry.listen(() => undefined);
    await telemetry.settled();
    expect(telemetry.absentReason).toContain('/nowhere/libnvidia-ml.so.1');
    expect(asked).toBe(1);
    await telemetry.close();
  });
});
