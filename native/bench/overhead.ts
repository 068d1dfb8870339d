// What sampling costs a running workload: the same work with telemetry off and on in turn (A B A B …), in this very process, which is
// the worst place for it. Two loads: a replayed graph of 500 empty kernels (launch-bound, as decode is) and host-to-device copies of
// 4 MiB in a loop (link- and driver-bound). Prints the ratio of the medians' pairs with a bootstrap 95 % interval.
import { setTimeout as pause } from 'node:timers/promises';
import { memory, sampleColumns } from '../index.ts';
import { median, native, openCuda, openTelemetry } from './open.ts';

const rounds = Number(process.argv[2] ?? 20);
/** One load by its name, for more rounds of it; all when absent. */
const only = process.argv[3];
const windowMs = 200;
const runInMs = 60;
const addon = native();
const telemetry = await openTelemetry(addon);
const cuda = await openCuda(addon);
const context = cuda.context(0);
const stream = context.stream();
const module = context.module('ceilings');
const empty = module.kernel('empty');
const graph = stream.capture(() => {
  for (let i = 0; i < 500; i++) stream.launch(empty, { grid: [1], block: [32] }, []);
});
const device = context.allocate(4 << 20);
const host = context.allocatePinned(4 << 20);
const network = memory.prepare(
  addon.workloadEnvironment(context),
  'optimized',
  memory.defaults,
  memory.inputs(memory.defaults),
);
const loads: Record<string, () => void> = {
  'ch17:memory, optimized': () => {
    network.iterate();
    network.stream.synchronizeNow();
  },
  'graph of 500 empty kernels': () => stream.launchGraph(graph),
  'single launches': () => {
    for (let i = 0; i < 100; i++) stream.launch(empty, { grid: [1], block: [32] }, []);
  },
  'copies of 4 MiB to the device': () => stream.copy(device, host, 4 << 20),
};
const columns = sampleColumns(8192);

/** Repetitions per second over one window, after a short unmeasured run-in. */
function measure(body: () => void): number {
  const until = performance.now() + runInMs;
  while (performance.now() < until) {
    body();
    stream.synchronizeNow();
  }
  const start = performance.now();
  let done = 0;
  while (performance.now() - start < windowMs) {
    body();
    stream.synchronizeNow();
    done++;
  }
  return (done * 1000) / (performance.now() - start);
}

function bootstrap(values: readonly number[]): [number, number] {
  let state = 12345;
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  const medians = Array.from({ length: 4000 }, () =>
    median(Array.from(values, () => values[Math.floor(random() * values.length)] ?? 0)),
  ).sort((a, b) => a - b);
  return [medians[100] ?? 0, medians[3899] ?? 0];
}

const results = [];
for (const [name, body] of Object.entries(loads)) {
  if (only !== undefined && name !== only) continue;
  measure(body);
  const costs: number[] = [];
  const cpu: number[] = [];
  for (let round = 0; round < rounds; round++) {
    // Off and on in turn, and the order swapped each round, so that a drift of the clocks favours neither.
    const rates: { off?: number; on?: number } = {};
    for (const on of round % 2 === 0 ? [false, true] : [true, false]) {
      if (on) {
        await telemetry.start({ origin: process.hrtime.bigint() });
        rates.on = measure(body);
        cpu.push(telemetry.drain(columns).cpuTime / 1e6 / (windowMs + runInMs));
        await telemetry.stop();
      } else {
        // Starting takes about 130 ms in which nothing runs: the other side has the same pause.
        await pause(130);
        rates.off = measure(body);
      }
    }
    costs.push(1 - (rates.on ?? 0) / (rates.off ?? 1));
  }
  const [low, high] = bootstrap(costs);
  results.push({
    load: name,
    rounds,
    costPercent: median(costs) * 100,
    low: low * 100,
    high: high * 100,
    samplerCpuShare: median(cpu),
  });
}
network.free();
for (const each of [graph, empty, module, device, host, stream, context]) each.free();
console.log(JSON.stringify({ windowMs, results, leaks: cuda.close() }, undefined, 1));
await telemetry.close();
