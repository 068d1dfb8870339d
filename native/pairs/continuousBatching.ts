// ch15:continuous_batching — requests of different lengths share a batch of `slots`. A request's state goes through a two-layer network
// once per step, `length` times; the variants differ only in which rows run together.
//   static     groups of `slots` requests; a group runs until its longest request is done, finished rows are computed and thrown away
//   baseline   the same with a host synchronisation after every step, as a data-dependent mask forces it
//   optimized  continuous: a finished request's slot goes to the next one at once, only live rows are computed
import type { DeviceBuffer } from '../cuda.ts';
import { type Layer, launchRows, makeLayer, referenceLayers, upload, uploadLayer } from './dense.ts';
import { seededFloats, seededUniform } from './seededNumbers.ts';
import type { CudaWorkload } from './workload.ts';

export interface BatchingParameters {
  readonly width: number;
  readonly hidden: number;
  readonly requests: number;
  readonly slots: number;
  readonly longest: number;
  readonly seed: number;
}

const layersOf = ({ width, hidden, seed }: BatchingParameters) =>
  [
    makeLayer('batching 1', seed, width, hidden, 'relu'),
    makeLayer('batching 2', seed, hidden, width, 'none'),
  ] as const;
const lengthsOf = ({ requests, longest, seed }: BatchingParameters) => {
  const uniform = seededUniform('batching lengths', seed);
  return Int32Array.from({ length: requests }, () => 1 + Math.floor(uniform() * longest));
};
const initialState = ({ width, requests, seed }: BatchingParameters) =>
  seededFloats('batching state', seed, width * requests, 1);

/** The rows of each continuous step: first come, first served into free slots. `[2,1,1]` with 2 slots → `[[0,1],[0,2]]`. */
export function continuousSchedule(lengths: ArrayLike<number>, slots: number): number[][] {
  const steps: number[][] = [];
  const left = Array.from(lengths);
  let next = 0;
  let live: number[] = [];
  for (;;) {
    while (live.length < slots && next < left.length) live.push(next++);
    if (live.length === 0) return steps;
    steps.push([...live]);
    live = live.filter((request) => {
      left[request] = (left[request] ?? 1) - 1;
      return (left[request] ?? 0) > 0;
    });
  }
}

/** Each static group's steps: the length of its longest request. */
export function staticSteps(lengths: ArrayLike<number>, slots: number): number[] {
  const all = Array.from(lengths);
  return Array.from({ length: Math.ceil(all.length / slots) }, (_, group) =>
    Math.max(...all.slice(group * slots, (group + 1) * slots)),
  );
}

export interface BatchingInputs {
  readonly layers: readonly [up: Layer, down: Layer];
  readonly lengths: Int32Array;
  readonly state: Float32Array;
}

export const continuousBatching: CudaWorkload<BatchingParameters, BatchingInputs> = {
  id: 'ch15:continuous_batching',
  variants: ['baseline', 'static', 'optimized'],
  defaults: { width: 1024, hidden: 2048, requests: 144, slots: 12, longest: 32, seed: 123 },
  // up to 32 steps of two layers, each feeding the next
  tolerance: { state: { kind: 'relative', limit: 1e-3 } },

  inputs: (parameters) => ({
    layers: layersOf(parameters),
    lengths: lengthsOf(parameters),
    state: initialState(parameters),
  }),

  prepare({ context }, variant, { width, hidden, requests, slots }, { layers, lengths, state: initial }) {
    const stream = context.stream();
    const module = context.module('workloads');
    const rowsKernel = module.kernel('linearRows');
    const keepActive = module.kernel('keepActive');
    const up = uploadLayer(context, layers[0]);
    const down = uploadLayer(context, layers[1]);
    const start = upload(context, initial);
    const state = context.allocate(start.bytes);
    const middle = context.allocate(slots * hidden * 4);
    const next = context.allocate(slots * width * 4);
    const schedule = continuousSchedule(lengths, slots);
    // Row numbers of all steps, one after the other: a step points into them.
    const rowNumbers = upload(context, Int32Array.from(schedule.flat()));
    const lengthsOnDevice = upload(context, lengths);
    const groupRows = upload(
      context,
      Int32Array.from({ length: requests }, (_, row) => row),
    );
    const steps = staticSteps(lengths, slots);

    const continuous = () => {
      let offset = 0;
      for (const live of schedule) {
        const rows = { buffer: rowNumbers, offset: offset * 4 };
        launchRows(stream, rowsKernel, middle, null, state, rows, up, live.length);
        launchRows(stream, rowsKernel, state, rows, middle, null, down, live.length);
        offset += live.length;
      }
    };
    const inGroups = (waitEachStep: boolean) => {
      steps.forEach((count, group) => {
        const firstRow = group * slots;
        const rows = Math.min(slots, requests - firstRow);
        const list = { buffer: groupRows, offset: firstRow * 4 };
        for (let step = 0; step < count; step++) {
          launchRows(stream, rowsKernel, middle, null, state, list, up, rows);
          launchRows(stream, rowsKernel, next, null, middle, null, down, rows);
          const shape = { grid: [Math.ceil((rows * width) / 256)], block: [256] } as const;
          stream.launch(keepActive, shape, [
            state,
            next,
            lengthsOnDevice,
            { u32: firstRow },
            { u32: rows },
            { u32: width },
            { i32: step },
          ]);
          if (waitEachStep) stream.synchronizeNow();
        }
      });
    };
    const staticCount = steps.reduce((a, b) => a + b, 0);
    const tokens = lengths.reduce((a, b) => a + b, 0);
    const own: { free(): void }[] = [
      up.weights,
      up.bias,
      down.weights,
      down.bias,
      start,
      state,
      middle,
      next,
      rowNumbers,
      lengthsOnDevice,
      groupRows,
      rowsKernel,
      keepActive,
      module,
    ];
    const computed =
      variant === 'optimized'
        ? tokens
        : steps.reduce((total, count, group) => total + count * Math.min(slots, requests - group * slots), 0);
    return {
      stream,
      iterate: () => {
        stream.copy(state, start, start.bytes);
        if (variant === 'optimized') continuous();
        else inGroups(variant === 'baseline');
      },
      outputs: () => [{ name: 'state', values: readFloats(state) }],
      work: {
        flops: computed * 4 * width * hidden,
        hostBytes: 0,
        launches: variant === 'optimized' ? schedule.length * 2 : staticCount * 3,
        items: tokens,
        itemName: 'tokens',
      },
      free: () => {
        for (const each of own) each.free();
        stream.free();
      },
    };
  },

  reference({ addon }, { width, requests }, { layers, lengths, state: initial }) {
    const state = Float64Array.from(initial);
    // All requests that are still running take a step together.
    for (let step = 0; ; step++) {
      const live = Array.from({ length: requests }, (_, row) => row).filter(
        (row) => step < (lengths[row] ?? 0),
      );
      if (live.length === 0) break;
      const x = new Float64Array(live.length * width);
      live.forEach((row, i) => {
        x.set(state.subarray(row * width, (row + 1) * width), i * width);
      });
      const y = referenceLayers(addon, layers, x, live.length);
      live.forEach((row, i) => {
        state.set(y.subarray(i * width, (i + 1) * width), row * width);
      });
    }
    return [{ name: 'state', values: state }];
  },
};

const readFloats = (buffer: DeviceBuffer) => buffer.read(new Float32Array(buffer.bytes / 4));
