// ch17:memory — feeding a model from host memory. Both variants push the same byte batches through the same three-layer network and
// keep every batch's output.
//   baseline   the host widens each batch to fp32, copies it from ordinary memory (the call blocks), launches each kernel
//   optimized  the bytes go over as they are from page-locked memory, a quarter of the traffic, and one graph does the rest
import { type Layer, launchTile, makeLayer, referenceLayers, uploadLayer } from './dense.ts';
import { seededUniform } from './seededNumbers.ts';
import type { CudaWorkload } from './workload.ts';

export interface MemoryParameters {
  readonly width: number;
  readonly rows: number;
  readonly batches: number;
  readonly seed: number;
}

const layersOf = ({ width, seed }: MemoryParameters) => [
  makeLayer('memory 1', seed, width, width, 'gelu'),
  makeLayer('memory 2', seed, width, width, 'gelu'),
  makeLayer('memory 3', seed, width, width, 'none'),
];

function batchesOf({ width, rows, batches, seed }: MemoryParameters): Uint8Array[] {
  const uniform = seededUniform('memory batches', seed);
  return Array.from({ length: batches }, () => {
    const batch = new Uint8Array(width * rows);
    for (let i = 0; i < batch.length; i++) batch[i] = Math.floor(uniform() * 256);
    return batch;
  });
}

export interface MemoryInputs {
  readonly layers: readonly Layer[];
  readonly batches: readonly Uint8Array[];
}

export const memory: CudaWorkload<MemoryParameters, MemoryInputs> = {
  id: 'ch17:memory',
  variants: ['baseline', 'optimized'],
  defaults: { width: 2048, rows: 512, batches: 8, seed: 17 },
  // fp32 sums of 2,048 products, three layers deep
  tolerance: { outputs: { kind: 'relative', limit: 1e-4 } },

  inputs: (parameters) => ({ layers: layersOf(parameters), batches: batchesOf(parameters) }),

  prepare({ context }, variant, { width, rows, batches }, inputs) {
    const elements = width * rows;
    const stream = context.stream();
    const module = context.module('workloads');
    const tile = module.kernel('linearTile');
    const normaliseBytes = module.kernel('normaliseBytes');
    const normaliseFloats = module.kernel('normaliseFloats');
    const layers = inputs.layers.map((layer) => uploadLayer(context, layer));
    const [a, b] = [context.allocate(elements * 4), context.allocate(elements * 4)];
    const outputs = context.allocate(elements * 4 * batches);
    const grid = [Math.ceil(elements / 256)] as const;

    const network = () => {
      let [from, to] = [a, b];
      for (const layer of layers) {
        launchTile(stream, tile, to, from, layer, rows);
        [from, to] = [to, from];
      }
      return from;
    };
    const own: { free(): void }[] = [
      ...layers.flatMap((layer) => [layer.weights, layer.bias]),
      a,
      b,
      outputs,
      tile,
      normaliseBytes,
      normaliseFloats,
      module,
    ];

    let iterate: () => void;
    if (variant === 'baseline') {
      const raw = context.allocate(elements * 4);
      const widened = new Float32Array(elements);
      own.unshift(raw);
      iterate = () => {
        inputs.batches.forEach((batch, index) => {
          widened.set(batch);
          // An ordinary blocking copy, as a framework does it from pageable memory; the stream must be done with the last batch.
          stream.synchronizeNow();
          raw.write(widened);
          stream.launch(normaliseFloats, { grid, block: [256] }, [a, raw, { u32: elements }]);
          stream.copy(outputs, network(), elements * 4, index * elements * 4);
        });
      };
    } else {
      const bytes = context.allocate(elements);
      const pinned = inputs.batches.map((batch) => {
        const buffer = context.allocatePinned(elements);
        buffer.write(batch);
        return buffer;
      });
      let last = a;
      const graph = stream.capture(() => {
        stream.launch(normaliseBytes, { grid, block: [256] }, [a, bytes, { u32: elements }]);
        last = network();
      });
      own.unshift(bytes, ...pinned, graph);
      iterate = () => {
        pinned.forEach((batch, index) => {
          stream.copy(bytes, batch, elements);
          stream.launchGraph(graph);
          stream.copy(outputs, last, elements * 4, index * elements * 4);
        });
      };
    }
    return {
      stream,
      iterate,
      outputs: () => [{ name: 'outputs', values: outputs.read(new Float32Array(elements * batches)) }],
      work: {
        flops: 2 * 3 * width * width * rows * batches,
        hostBytes: elements * batches * (variant === 'baseline' ? 4 : 1),
        launches: batches * (variant === 'baseline' ? 6 : 3),
        items: rows * batches,
        itemName: 'rows',
      },
      free: () => {
        for (const each of own) each.free();
        stream.free();
      },
    };
  },

  reference({ addon }, { rows }, { layers, batches }) {
    const all = batches.map((batch) => {
      const x = Float64Array.from(batch, (byte) => Math.tanh((byte / 255 - 0.5) * 2));
      return referenceLayers(addon, layers, x, rows);
    });
    const values = new Float64Array(all.reduce((total, each) => total + each.length, 0));
    let offset = 0;
    for (const each of all) {
      values.set(each, offset);
      offset += each.length;
    }
    return [{ name: 'outputs', values }];
  },
};
