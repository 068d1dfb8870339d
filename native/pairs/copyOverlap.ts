// Copies beside arithmetic: chunks go to the device, are worked on, and come back.
//   baseline   one stream: copy in, compute, copy out, one after the other
//   optimized  three streams in turn: while one chunk is computed, the next comes in and the last goes out, on the two copy engines
//
//   one stream    in0 ## out0 in1 ## out1 in2 ## out2
//   three         in0 ## out0
//                     in1 ## out1
//                         in2 ## out2
import { seededFloats } from './seededNumbers.ts';
import type { CudaWorkload } from './workload.ts';

export interface OverlapParameters {
  readonly chunks: number;
  readonly chunkFloats: number;
  /** Fused multiply-adds per element: with 55 GB/s links about 1,500 take as long as a copy on an H100. */
  readonly steps: number;
  readonly seed: number;
}

export const copyOverlap: CudaWorkload<OverlapParameters, Float32Array> = {
  id: 'native:copy_overlap',
  variants: ['baseline', 'optimized'],
  defaults: { chunks: 12, chunkFloats: 4 << 20, steps: 1500, seed: 11 },
  // each step rounds once, and its factor of 0.999 damps what came before: the errors stay near one rounding
  tolerance: { outputs: { kind: 'relative', limit: 1e-4 } },

  inputs: ({ chunks, chunkFloats, seed }) => seededFloats('overlap input', seed, chunks * chunkFloats, 1),

  prepare({ context }, variant, { chunks, chunkFloats, steps }, input) {
    const lanes = variant === 'baseline' ? 1 : 3;
    const stream = context.stream();
    const module = context.module('workloads');
    const relax = module.kernel('relaxTowardsOne');
    const host = context.allocatePinned(chunks * chunkFloats * 4);
    host.write(input);
    const results = context.allocatePinned(chunks * chunkFloats * 4);
    const streams = Array.from({ length: lanes }, () => context.stream());
    const buffers = streams.map(
      () => [context.allocate(chunkFloats * 4), context.allocate(chunkFloats * 4)] as const,
    );
    const done = streams.map(() => context.event({ timing: false }));
    const begin = context.event({ timing: false });
    const bytes = chunkFloats * 4;
    return {
      stream,
      iterate: () => {
        // The lanes begin after what `stream` has queued, and `stream` goes on after the lanes: it is the one that is timed.
        stream.record(begin);
        for (const lane of streams) lane.wait(begin);
        for (let chunk = 0; chunk < chunks; chunk++) {
          const lane = streams[chunk % lanes];
          const [x, y] = buffers[chunk % lanes] ?? [];
          if (lane === undefined || x === undefined || y === undefined) continue;
          lane.copy(x, host, bytes, 0, chunk * bytes);
          lane.launch(relax, { grid: [Math.ceil(chunkFloats / 256)], block: [256] }, [
            y,
            x,
            { u32: chunkFloats },
            { u32: steps },
          ]);
          lane.copy(results, y, bytes, chunk * bytes);
        }
        streams.forEach((lane, index) => {
          const event = done[index];
          if (event === undefined) return;
          lane.record(event);
          stream.wait(event);
        });
      },
      outputs: () => [{ name: 'outputs', values: results.read(new Float32Array(chunks * chunkFloats)) }],
      work: {
        flops: 2 * steps * chunks * chunkFloats,
        hostBytes: 2 * chunks * bytes,
        launches: chunks * 3,
        items: chunks,
        itemName: 'chunks',
      },
      free: () => {
        for (const pair of buffers) for (const buffer of pair) buffer.free();
        for (const each of [...done, begin, ...streams, stream, host, results, relax, module]) each.free();
      },
    };
  },

  reference(_environment, { steps }, input) {
    // v ← f·v + g has the closed form f^n·v + g·(1 − f^n)/(1 − f), with the constants as fp32 holds them.
    const f = Math.fround(0.999);
    const g = Math.fround(0.001);
    const power = f ** steps;
    const rest = (g * (1 - power)) / (1 - f);
    const values = new Float64Array(input.length);
    for (let i = 0; i < values.length; i++) values[i] = power * (input[i] ?? 0) + rest;
    return [{ name: 'outputs', values }];
  },
};
