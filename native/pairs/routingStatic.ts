// ch17:routing_static — choosing an expert per token, then a small fp16 network. The choice is an output here and is verified too.
//   baseline   one launch per token
//   optimized  one launch for all tokens
import { type Layer, launchRows, makeLayer, referenceLayers, upload } from './dense.ts';
import { fromHalves, toHalves } from './halfFloat.ts';
import { seededFloats } from './seededNumbers.ts';
import type { CudaWorkload } from './workload.ts';

export interface RoutingParameters {
  readonly tokens: number;
  readonly experts: number;
  readonly width: number;
  readonly layers: number;
  readonly rows: number;
  readonly seed: number;
}

const scoresOf = ({ tokens, experts, seed }: RoutingParameters) =>
  toHalves(seededFloats('routing scores', seed, tokens * experts, 1));
const inputOf = ({ rows, width, seed }: RoutingParameters) =>
  toHalves(seededFloats('routing input', seed, rows * width, 1));
/** Weights rounded to half first: the reference then knows the numbers that the GPU multiplies. */
const layersOf = ({ layers, width, seed }: RoutingParameters) =>
  Array.from({ length: layers }, (_, index) => {
    const layer = makeLayer(`routing ${index}`, seed, width, width, 'relu');
    return { ...layer, weights: fromHalves(toHalves(layer.weights)), bias: fromHalves(toHalves(layer.bias)) };
  });

export interface RoutingInputs {
  /** Half precision, [tokens][experts]. */
  readonly scores: Uint16Array;
  readonly input: Uint16Array;
  readonly layers: readonly Layer[];
}

export const routingStatic: CudaWorkload<RoutingParameters, RoutingInputs> = {
  id: 'ch17:routing_static',
  variants: ['baseline', 'optimized'],
  defaults: { tokens: 512, experts: 1024, width: 2048, layers: 24, rows: 16, seed: 17 },
  // activations are rounded to half (2⁻¹¹) after each of 24 layers
  tolerance: { choice: { kind: 'exact' }, output: { kind: 'relative', limit: 2e-2 } },

  inputs: (parameters) => ({
    scores: scoresOf(parameters),
    input: inputOf(parameters),
    layers: layersOf(parameters),
  }),

  prepare({ context }, variant, { tokens, experts, width, rows }, inputs) {
    const stream = context.stream();
    const module = context.module('workloads');
    const argmax = module.kernel('argmaxRows');
    const linear = module.kernel('linearRowsHalf');
    const scores = upload(context, inputs.scores);
    const choice = context.allocate(tokens * 4);
    const input = upload(context, inputs.input);
    const layers = inputs.layers.map((layer) => ({
      layer,
      weights: upload(context, toHalves(layer.weights)),
      bias: upload(context, toHalves(layer.bias)),
    }));
    const [a, b] = [context.allocate(rows * width * 2), context.allocate(rows * width * 2)];
    const last = layers.length % 2 === 1 ? a : b;
    const pick = (first: number, count: number) =>
      stream.launch(argmax, { grid: [count], block: [256] }, [
        choice,
        scores,
        { u32: experts },
        { u32: first },
      ]);
    const own: { free(): void }[] = [
      scores,
      choice,
      input,
      ...layers.flatMap((layer) => [layer.weights, layer.bias]),
      a,
      b,
      argmax,
      linear,
      module,
    ];
    return {
      stream,
      iterate: () => {
        if (variant === 'baseline') for (let token = 0; token < tokens; token++) pick(token, 1);
        else pick(0, tokens);
        let from = input;
        layers.forEach((layer, index) => {
          const to = index % 2 === 0 ? a : b;
          launchRows(stream, linear, to, null, from, null, layer, rows);
          from = to;
        });
      },
      outputs: () => [
        { name: 'choice', values: choice.read(new Int32Array(tokens)) },
        { name: 'output', values: fromHalves(last.read(new Uint16Array(rows * width))) },
      ],
      work: {
        flops: 2 * layers.length * width * width * rows,
        hostBytes: 0,
        launches: layers.length + (variant === 'baseline' ? tokens : 1),
        items: tokens,
        itemName: 'tokens',
      },
      free: () => {
        for (const each of own) each.free();
        stream.free();
      },
    };
  },

  reference({ addon }, { tokens, experts, rows }, inputs) {
    const scores = fromHalves(inputs.scores);
    const choice = Int32Array.from({ length: tokens }, (_, token) => {
      const row = scores.subarray(token * experts, (token + 1) * experts);
      return row.indexOf(Math.max(...row));
    });
    const input = Float64Array.from(fromHalves(inputs.input));
    return [
      { name: 'choice', values: choice },
      { name: 'output', values: referenceLayers(addon, inputs.layers, input, rows) },
    ];
  },
};
