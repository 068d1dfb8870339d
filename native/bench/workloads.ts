// Runs the CUDA workloads at their real sizes, variants in turn, verified against float64, and prints one JSON document.
import {
  continuousBatching,
  copyOverlap,
  measureWorkload,
  memory,
  routingStatic,
  type WorkloadResult,
} from '../index.ts';
import { median, native, openCuda } from './open.ts';

const addon = native();
const cuda = await openCuda(addon);
const context = cuda.context(0);
const environment = addon.workloadEnvironment(context);
const results: WorkloadResult[] = [
  measureWorkload(environment, memory, { iterations: 30, warmUp: 5 }),
  measureWorkload(environment, continuousBatching, { iterations: 30, warmUp: 5 }),
  measureWorkload(environment, routingStatic, { iterations: 30, warmUp: 5 }),
  measureWorkload(environment, copyOverlap, { iterations: 20, warmUp: 3 }),
];
context.free();
const report = results.map(({ id, verified, iterations, variants }) => ({
  id,
  verified,
  iterations,
  variants: variants.map(({ variant, milliseconds, verification, work }) => {
    const ms = median(milliseconds);
    return {
      variant,
      medianMs: ms,
      leastMs: Math.min(...milliseconds),
      mostMs: Math.max(...milliseconds),
      teraFlopPerSecond: work.flops / ms / 1e9,
      hostGigabytesPerSecond: work.hostBytes / ms / 1e6,
      itemsPerSecond: (work.items * 1000) / ms,
      work,
      verification,
    };
  }),
}));
console.log(JSON.stringify({ report, leaks: cuda.close() }, undefined, 1));
