// Dense layers on the device: weights [out][in] and a bias, launched by one of the kernels of workloads.cu.
import type { RawAddon } from '../addon.ts';
import type { CudaContext, CudaKernel, CudaStream, DeviceBuffer } from '../cuda.ts';
import { seededFloats } from './seededNumbers.ts';

export type Activation = 'none' | 'relu' | 'gelu';
export const activationCode: Readonly<Record<Activation, number>> = { none: 0, relu: 1, gelu: 2 };

export interface Layer {
  readonly inputs: number;
  readonly outputs: number;
  readonly activation: Activation;
  readonly weights: Float32Array;
  readonly bias: Float32Array;
}

/** Weights whose outputs keep about the variance of their inputs, so that depth neither grows nor kills the signal. */
export function makeLayer(
  purpose: string,
  seed: number,
  inputs: number,
  outputs: number,
  activation: Activation,
): Layer {
  const gain = activation === 'none' ? 1 : 2;
  return {
    inputs,
    outputs,
    activation,
    weights: seededFloats(`${purpose} weights`, seed, inputs * outputs, Math.sqrt(gain / inputs)),
    bias: seededFloats(`${purpose} bias`, seed, outputs, 0.02),
  };
}

export interface DeviceLayer {
  readonly layer: Layer;
  readonly weights: DeviceBuffer;
  readonly bias: DeviceBuffer;
}

export function upload(context: CudaContext, values: ArrayBufferView): DeviceBuffer {
  const buffer = context.allocate(values.byteLength);
  buffer.write(values);
  return buffer;
}

export function uploadLayer(context: CudaContext, layer: Layer): DeviceLayer {
  return { layer, weights: upload(context, layer.weights), bias: upload(context, layer.bias) };
}

/** Many rows: 64×64 tiles. */
export function launchTile(
  stream: CudaStream,
  kernel: CudaKernel,
  y: DeviceBuffer,
  x: DeviceBuffer,
  { layer, weights, bias }: DeviceLayer,
  rows: number,
): void {
  const { inputs, outputs, activation } = layer;
  const shape = { grid: [Math.ceil(outputs / 64), Math.ceil(rows / 64)], block: [256] } as const;
  stream.launch(kernel, shape, [
    y,
    x,
    weights,
    bias,
    { u32: rows },
    { u32: inputs },
    { u32: outputs },
    { u32: activationCode[activation] },
  ]);
}

/** A list of row numbers on the device: where a launch reads or writes its rows. */
export type RowList = { readonly buffer: DeviceBuffer; readonly offset: number } | null;

/** Few rows: one warp per output; `yRows` and `xRows` gather and scatter. */
export function launchRows(
  stream: CudaStream,
  kernel: CudaKernel,
  y: DeviceBuffer,
  yRows: RowList,
  x: DeviceBuffer,
  xRows: RowList,
  { layer, weights, bias }: DeviceLayer,
  rows: number,
): void {
  const { inputs, outputs, activation } = layer;
  const shape = { grid: [Math.ceil(outputs / 8), Math.ceil(rows / 16)], block: [256] } as const;
  stream.launch(kernel, shape, [
    y,
    yRows,
    x,
    xRows,
    weights,
    bias,
    { u32: rows },
    { u32: inputs },
    { u32: outputs },
    { u32: activationCode[activation] },
  ]);
}

export function referenceLayers(
  addon: RawAddon,
  layers: readonly Layer[],
  x: Float64Array,
  rows: number,
): Float64Array {
  let state = x;
  for (const { inputs, outputs, activation, weights, bias } of layers) {
    const next = new Float64Array(rows * outputs);
    addon.referenceLinear(next, state, weights, bias, rows, inputs, outputs, activationCode[activation]);
    state = next;
  }
  return state;
}
