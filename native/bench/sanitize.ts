// Every kernel and every kind of CUDA object once, at small sizes, for compute-sanitizer: nothing may be out of bounds, raced or leaked.
import {
  continuousBatching,
  copyOverlap,
  measureWorkload,
  memory,
  openTopologyProbe,
  routingStatic,
} from '../index.ts';
import { native, openCuda } from './open.ts';

const addon = native();
const cuda = await openCuda(addon);
const context = cuda.context(0);
const environment = addon.workloadEnvironment(context);
const short = { iterations: 1, warmUp: 1 };
const results = [
  measureWorkload(environment, memory, { ...short, parameters: { width: 128, rows: 70, batches: 2 } }),
  measureWorkload(environment, continuousBatching, {
    ...short,
    parameters: { width: 128, hidden: 256, requests: 7, slots: 3, longest: 4 },
  }),
  measureWorkload(environment, routingStatic, {
    ...short,
    parameters: { tokens: 5, experts: 300, width: 128, layers: 2, rows: 5 },
  }),
  measureWorkload(environment, copyOverlap, {
    ...short,
    parameters: { chunks: 4, chunkFloats: 1000, steps: 3 },
  }),
];
// The probe's copies: pageable, page-locked, and between GPUs where there are several.
const probe = openTopologyProbe(cuda, ['baseline', 'optimized'], { mebibytes: 1 });
for (const variant of ['baseline', 'optimized']) probe.iterate(variant);
const probed = ['baseline', 'optimized'].every((variant) => probe.verify(variant).every(({ ok }) => ok));
probe.free();
const module = context.module('ceilings');
const stream = context.stream();
const [a, b, sum] = [context.allocate(1 << 16), context.allocate(1 << 16), context.allocate(16)];
stream.fill(a, 1);
stream.fill(sum, 0);
const words = { i64: a.bytes / 16 };
const kernels = ['readWords', 'copyWords', 'readShared', 'empty', 'normalFloat'].map((name) =>
  module.kernel(name),
);
const [readWords, copyWords, readShared, empty, normalFloat] = kernels;
if (readWords && copyWords && readShared && empty && normalFloat) {
  stream.launch(readWords, { grid: [3], block: [512] }, [a, words, { u32: 2 }, sum]);
  stream.launch(copyWords, { grid: [3], block: [512] }, [b, a, words]);
  stream.launch(readShared, { grid: [2], block: [1024] }, [{ u32: 64 }, sum]);
  stream.launch(normalFloat, { grid: [3], block: [256] }, [b, { i64: b.bytes / 4 }, { i64: 7 }]);
  stream.launch(empty, { grid: [1], block: [32] }, []);
}
const done = await stream.synchronize();
// 65,536 bytes of 1 are 16,384 words of 0x01010101, read twice; the sum is kept modulo 2³².
const expected = (Math.imul(0x01010101, 16384 * 2) >>> 0) % 2 ** 32;
const found = sum.read(new Uint32Array(4))[0];
for (const each of [...kernels, a, b, sum, stream, module, context]) each.free();
const leaks = cuda.close();
const verified = [...results.map(({ id, verified: ok }) => [id, ok]), ['topology_probe', probed]];
console.log(JSON.stringify({ verified, sum: { expected, found }, done, leaks }));
if (
  !done.ok ||
  found !== expected ||
  leaks.handles > 0 ||
  !probed ||
  results.some((result) => !result.verified)
)
  process.exitCode = 1;
