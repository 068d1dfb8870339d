// Which readings cost what: each metric sampled alone for a second, processor time of the sampling thread per reading.
import { setTimeout as pause } from 'node:timers/promises';
import { metricIds, sampleColumns } from '../index.ts';
import { native, openTelemetry } from './open.ts';

const telemetry = await openTelemetry(native());
const columns = sampleColumns(4096);
const costs: Record<string, number> = {};
for (const [name, metrics] of [...metricIds.map((id) => [id, [id]] as const), ['all', metricIds] as const]) {
  await telemetry.start({
    origin: process.hrtime.bigint(),
    metrics,
    periodsMs: { nvml: 50, gpm: 120, slow: 50 },
  });
  await pause(500);
  const { count, cpuTime } = telemetry.drain(columns);
  await telemetry.stop();
  if (count > 0) costs[name] = Math.round(cpuTime / (name === 'all' ? 1 : count) / 1000);
}
console.log(JSON.stringify({ unit: 'µs of processor time per reading; all: in half a second', costs }));
await telemetry.close();
