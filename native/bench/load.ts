// Puts known loads on GPU 0, one phase after the other, and prints each phase's start and end on CLOCK_MONOTONIC as a JSON line:
//   idle                nothing
//   allSms              every SM holds one block at all times        SM utilisation 100 % by construction
//   halfOfSms           half of the SMs hold one block at all times  SM utilisation 50 % by construction
//   halfOfTime          all SMs, every other 5 ms                    about 50 %
import { setTimeout as pause } from 'node:timers/promises';
import { native, openCuda } from './open.ts';

const seconds = Number(process.argv[2] ?? 6);
const cuda = await openCuda(native());
const device = cuda.devices()[0];
if (device === undefined) throw new Error('no CUDA device');
const context = cuda.context(0);
const stream = context.stream();
const kernel = context.module('ceilings').kernel('readShared');
const sum = context.allocate(16);
// One block of 1,024 threads fills more than half of an SM's shared-memory pipe, not its register file: blocks spread one per SM first.
const steps = 60_000;
const run = (blocks: number) =>
  stream.launch(kernel, { grid: [blocks], block: [1024] }, [{ u32: steps }, sum]);

async function phase(name: string, body: () => void | Promise<void>): Promise<void> {
  const start = process.hrtime.bigint();
  const end = start + BigInt(seconds * 1e9);
  while (process.hrtime.bigint() < end) await body();
  stream.synchronizeNow();
  console.log(
    JSON.stringify({
      phase: name,
      start: String(start),
      end: String(process.hrtime.bigint()),
      wall: Date.now() / 1000,
    }),
  );
}

run(1);
stream.synchronizeNow();
const millisecondsOf = (blocks: number) => {
  const before = performance.now();
  for (let i = 0; i < 20; i++) run(blocks);
  stream.synchronizeNow();
  return (performance.now() - before) / 20;
};
const kernelMs = millisecondsOf(device.multiprocessors);
console.log(JSON.stringify({ kernelMs, multiprocessors: device.multiprocessors }));
const batch = Math.max(1, Math.round(20 / kernelMs));
// Keep the queue two batches deep, so that the GPU never waits for this program.
const keepBusy = (blocks: number) => {
  const events = [context.event(), context.event()] as const;
  let turn = 0;
  return () => {
    const event = events[turn++ % 2 === 0 ? 0 : 1];
    for (let i = 0; i < batch; i++) run(blocks);
    stream.record(event);
    while (!(turn % 2 === 0 ? events[0] : events[1]).ready) {
      /* spin: a sleep would be longer than the batch */
    }
  };
};

await phase('idle', () => pause(20));
await phase('allSms', keepBusy(device.multiprocessors));
await phase('halfOfSms', keepBusy(device.multiprocessors / 2));
const burst = Math.max(1, Math.round(5 / kernelMs));
await phase('halfOfTime', () => {
  const before = performance.now();
  for (let i = 0; i < burst; i++) run(device.multiprocessors);
  stream.synchronizeNow();
  const took = performance.now() - before;
  const until = performance.now() + took;
  while (performance.now() < until) {
    /* as long idle as busy */
  }
});
await phase('idle', () => pause(20));
cuda.close();
