import type { GpuInstance } from '../../run/instanceSpec.ts';
import type { DeviceError, DeviceModel, TransformerShape } from './device.ts';

/** A model that is loaded on a device, and what it is. */
export interface LoadedModel {
  readonly model: DeviceModel;
  readonly shape: TransformerShape;
  /** Name of the card as its driver has it. */
  readonly card: string;
}

export interface LoadRequest {
  /** Id of the model's shape. */
  readonly model: string;
  readonly shape: TransformerShape;
  readonly device: number;
  readonly weights: GpuInstance['weights'];
  readonly precision: 'bf16' | 'fp8';
  progress(doneBytes: number, totalBytes: number): void;
}

/** What the engine needs of the process that it runs in. */
export interface GpuHost {
  /** Loads a model; rejects with an error that says in one line what is wrong. */
  load(request: LoadRequest): Promise<LoadedModel>;
  /** CLOCK_MONOTONIC, ns. */
  monotonic(): bigint;
  /** A device's refusal as the error that ends the run. */
  refusal(error: DeviceError): Error;
}
