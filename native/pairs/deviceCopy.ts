// native:copy — moving bytes within the card's memory.
//   baseline   a 4-byte word per thread
//   optimized  16-byte words, four loads in flight per thread before the first store
import { upload } from './dense.ts';
import { seededUniform } from './seededNumbers.ts';
import type { CudaWorkload } from './workload.ts';

export interface CopyParameters {
  readonly mebibytes: number;
  readonly seed: number;
}

export const deviceCopy: CudaWorkload<CopyParameters, Int32Array> = {
  id: 'native:copy',
  variants: ['baseline', 'optimized'],
  defaults: { mebibytes: 512, seed: 7 },
  tolerance: { copy: { kind: 'exact' } },

  inputs: ({ mebibytes, seed }) => {
    const uniform = seededUniform('copy words', seed);
    const words = new Int32Array(mebibytes * 262_144);
    for (let i = 0; i < words.length; i++) words[i] = uniform() * 4294967296 - 2147483648;
    return words;
  },

  prepare({ context }, variant, _parameters, words) {
    const stream = context.stream();
    const module = context.module('copies');
    const kernel = module.kernel(variant === 'baseline' ? 'copyScalars' : 'copyVectors');
    const from = upload(context, words);
    const to = context.allocate(words.byteLength);
    const count = variant === 'baseline' ? words.length : words.length / 4;
    const shape =
      variant === 'baseline'
        ? ({ grid: [Math.ceil(count / 256)], block: [256] } as const)
        : ({ grid: [Math.max(1, Math.ceil(count / (512 * 4)))], block: [512] } as const);
    const own = [from, to, kernel, module];
    return {
      stream,
      iterate: () => stream.launch(kernel, shape, [to, from, { i64: count }]),
      outputs: () => [{ name: 'copy', values: to.read(new Int32Array(words.length)) }],
      work: {
        flops: 0,
        hostBytes: 0,
        deviceBytes: 2 * words.byteLength,
        launches: 1,
        items: words.byteLength / 2 ** 20,
        itemName: 'MiB',
      },
      free: () => {
        for (const each of own) each.free();
        stream.free();
      },
    };
  },

  reference: (_environment, _parameters, words) => [{ name: 'copy', values: words }],
};
