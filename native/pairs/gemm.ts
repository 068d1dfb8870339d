// native:gemm — one matrix product y[rows][outputs] = x[rows][inputs] · w. All variants multiply the same numbers, rounded to bf16 once.
//   baseline   fp32 on the CUDA cores, our own 64×64 tiles
//   tf32       cuBLASLt on the tensor cores, fp32 in memory
//   optimized  cuBLASLt on the tensor cores, bf16 in memory
import { GemmPlan } from '../gemm.ts';
import { launchTile, upload } from './dense.ts';
import { seededFloats } from './seededNumbers.ts';
import type { CudaWorkload } from './workload.ts';

export interface GemmParameters {
  readonly rows: number;
  readonly inputs: number;
  readonly outputs: number;
  readonly seed: number;
}

/** bf16 bits: the upper half of a float, rounded to nearest, ties to even. Finite numbers only. */
export function toBfloats(values: Float32Array): Uint16Array {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const out = new Uint16Array(values.length);
  for (let i = 0; i < out.length; i++) {
    const word = words[i] ?? 0;
    out[i] = (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
  }
  return out;
}

export function fromBfloats(bits: Uint16Array): Float32Array {
  const words = new Uint32Array(bits.length);
  for (let i = 0; i < bits.length; i++) words[i] = (bits[i] ?? 0) << 16;
  return new Float32Array(words.buffer);
}

export interface GemmInputs {
  /** [rows][inputs] and [outputs][inputs]. */
  readonly x: Float32Array;
  readonly w: Float32Array;
}

function transposed(w: Float32Array, rows: number, columns: number): Float32Array {
  const out = new Float32Array(w.length);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++)
      out[column * rows + row] = w[row * columns + column] ?? 0;
  return out;
}

export const gemm: CudaWorkload<GemmParameters, GemmInputs> = {
  id: 'native:gemm',
  variants: ['baseline', 'tf32', 'optimized'],
  defaults: { rows: 2048, inputs: 4096, outputs: 4096, seed: 5 },
  // the output is rounded to bf16 (2⁻⁹ of each element, whose largest is some five times the root mean square)
  tolerance: { y: { kind: 'relative', limit: 2e-2 } },

  inputs: ({ rows, inputs, outputs, seed }) => ({
    x: fromBfloats(toBfloats(seededFloats('gemm x', seed, rows * inputs, 1))),
    w: fromBfloats(toBfloats(seededFloats('gemm w', seed, outputs * inputs, 1 / Math.sqrt(inputs)))),
  }),

  prepare({ addon, context, cublasLt }, variant, { rows, inputs, outputs }, { x, w }) {
    const stream = context.stream();
    const bytesPerValue = variant === 'optimized' ? 2 : 4;
    const y = context.allocate(rows * outputs * bytesPerValue);
    const own: { free(): void }[] = [y];
    let iterate: () => void;
    if (variant === 'baseline') {
      const module = context.module('workloads');
      const tile = module.kernel('linearTile');
      const layer = {
        layer: {
          inputs,
          outputs,
          activation: 'none',
          weights: w,
          bias: new Float32Array(outputs),
        },
        weights: upload(context, w),
        bias: upload(context, new Float32Array(outputs)),
      } as const;
      const from = upload(context, x);
      own.push(layer.weights, layer.bias, from, tile, module);
      iterate = () => launchTile(stream, tile, y, from, layer, rows);
    } else {
      // Row-major y is column-major yᵀ[outputs×rows] = A[outputs×inputs]·B[inputs×rows], with A's column-major storage [inputs][outputs].
      const a = transposed(w, outputs, inputs);
      const bits = variant === 'optimized';
      const weights = upload(context, bits ? toBfloats(a) : a);
      const from = upload(context, bits ? toBfloats(x) : x);
      const size = [outputs, rows, inputs] as const;
      const plan = new GemmPlan(addon, context, bits ? 'bf16' : 'tf32', size, cublasLt);
      own.push(weights, from, plan);
      // The library's first guess is not always its fastest: a moment for each of its choices.
      let best = 0;
      let fastest = Number.POSITIVE_INFINITY;
      const start = context.event();
      const end = context.event();
      for (let candidate = 0; candidate < plan.candidates; candidate++) {
        for (const isTimed of [false, true]) {
          if (isTimed) stream.record(start);
          for (let i = 0; i < 10; i++) plan.queue(stream, weights, from, y, candidate);
          if (isTimed) stream.record(end);
        }
        stream.synchronizeNow();
        const milliseconds = end.millisecondsSince(start);
        if (milliseconds < fastest) [best, fastest] = [candidate, milliseconds];
      }
      start.free();
      end.free();
      iterate = () => plan.queue(stream, weights, from, y, best);
    }
    return {
      stream,
      iterate,
      outputs: () => [
        {
          name: 'y',
          values:
            variant === 'optimized'
              ? fromBfloats(y.read(new Uint16Array(rows * outputs)))
              : y.read(new Float32Array(rows * outputs)),
        },
      ],
      work: {
        flops: 2 * rows * inputs * outputs,
        precision: variant === 'baseline' ? 'fp32' : variant === 'tf32' ? 'tf32' : 'bf16',
        hostBytes: 0,
        deviceBytes: bytesPerValue * (rows * inputs + inputs * outputs + rows * outputs),
        launches: 1,
        items: rows,
        itemName: 'rows',
      },
      free: () => {
        for (const each of own) each.free();
        stream.free();
      },
    };
  },

  reference({ addon }, { rows, inputs, outputs }, { x, w }) {
    const y = new Float64Array(rows * outputs);
    addon.referenceLinear(y, Float64Array.from(x), w, new Float32Array(outputs), rows, inputs, outputs, 0);
    return [{ name: 'y', values: y }];
  },
};
