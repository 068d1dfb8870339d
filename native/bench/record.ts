// Records telemetry of GPU 0 while `load.mjs` runs, and prints one JSON document: phases, columns, and each phase's mean per metric.
import { spawn } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import { metricIds, sampleColumns } from '../index.ts';
import { native, openTelemetry } from './open.ts';

interface Phase {
  readonly phase: string;
  readonly start: string;
  readonly end: string;
  readonly wall: number;
}

const [script = '', seconds = '6', mode = ''] = process.argv.slice(2);
// `high`: 10 kHz hardware counters in place of GPM; the samples themselves are then left out of the document.
const high = mode === 'high';
const telemetry = await openTelemetry(native());
const origin = process.hrtime.bigint();
const started = await telemetry.start({
  origin,
  ...(high ? { highResolution: { everyMicroseconds: 100 } } : {}),
});
if (!started.ok) throw new Error(started.error.message);

const child = spawn(process.execPath, [script, seconds], { stdio: ['ignore', 'pipe', 'inherit'] });
let text = '';
child.stdout.on('data', (bytes) => {
  text += String(bytes);
});
let running = true;
child.on('close', () => {
  running = false;
});

const columns = sampleColumns(high ? 200_000 : 4096);
const t: number[] = [];
const metric: number[] = [];
const value: number[] = [];
let dropped = 0;
let cpuTime = 0;
const ended = [];
while (running) {
  await pause(50);
  const drained = telemetry.drain(columns);
  for (let i = 0; i < drained.count; i++) {
    if (columns.gpu[i] !== 0) continue;
    t.push(columns.t[i] ?? 0);
    metric.push(columns.metric[i] ?? 0);
    value.push(columns.value[i] ?? 0);
  }
  ({ dropped, cpuTime } = drained);
  ended.push(...drained.ended);
}
const stopped = await telemetry.stop();
await telemetry.close();

const lines = text
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Phase);
const phases = lines.filter((line) => line.phase !== undefined);
const margin = 1.0e9; // a mean over 200 ms, and NVML's over up to 1 s, must lie inside the phase
const means = phases.map((phase) => {
  const from = Number(BigInt(phase.start) - origin) + margin;
  const to = Number(BigInt(phase.end) - origin);
  const perMetric: Record<string, { mean: number; n: number }> = {};
  metricIds.forEach((id, number) => {
    const inside = value.filter((_, i) => metric[i] === number && (t[i] ?? 0) >= from && (t[i] ?? 0) <= to);
    if (inside.length > 0)
      perMetric[id] = { mean: inside.reduce((a, b) => a + b, 0) / inside.length, n: inside.length };
  });
  return { phase: phase.phase, start: from - margin, end: to, wall: phase.wall, perMetric };
});
const wallSeconds = Number(process.hrtime.bigint() - origin) / 1e9;
console.log(
  JSON.stringify({
    load: lines[0],
    sampled: started.value,
    wallSeconds,
    samplerCpuSeconds: cpuTime / 1e9,
    dropped,
    ended,
    phases: means,
    ...(high
      ? { stopped, samples: { t: [], metric: [], value: [] }, count: t.length }
      : { samples: { t, metric, value } }),
  }),
);
