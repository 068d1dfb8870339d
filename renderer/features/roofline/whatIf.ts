import { findGpu, type Gpu, gpus } from '../../../workloads/hardware/gpus.ts';
import { findModel, models } from '../../../workloads/model/models.ts';
import type { ModelShape } from '../../../workloads/model/shape.ts';
import { type Ceilings, dataSheetCeilings } from '../../../workloads/roofline/ceilings.ts';
import {
  type CurvePoint,
  decodeOverBatch,
  decodeOverContext,
  decodeTurningBatch,
  doublings,
  prefillOverPrompt,
  type Setting,
  settingOf,
  type TurningBatch,
} from '../../../workloads/roofline/curves.ts';
import {
  findFormat,
  formatOf,
  type ServingFormat,
  servingFormats,
  supports,
} from '../../../workloads/roofline/precision.ts';

/** The values of the pickers and sliders. */
export interface WhatIf {
  readonly model: string;
  readonly gpu: string;
  readonly format: string;
  readonly tensorParallel: number;
  readonly batch: number;
  readonly context: number;
}

export const firstWhatIf: WhatIf = {
  model: 'llama-3.1-8b',
  gpu: 'h100-sxm',
  format: 'bf16',
  tensorParallel: 1,
  batch: 32,
  context: 1024,
};

export const largestBatch = 4096;
export const longestContext = 131_072;
export const parallelSizes = [1, 2, 4, 8, 16] as const;

/** A card keeps the format where its tensor cores have it; else BF16, which all have. */
export function withGpu(whatIf: WhatIf, gpu: string): WhatIf {
  const card = findGpu(gpu);
  const format = findFormat(whatIf.format);
  const keeps = card !== undefined && format !== undefined && supports(card, format.compute);
  return { ...whatIf, gpu, format: keeps ? whatIf.format : 'bf16' };
}

export const formatsOf = (gpu: Gpu): readonly ServingFormat[] =>
  servingFormats.filter((format) => supports(gpu, format.compute));

export interface Explored {
  readonly model: ModelShape;
  readonly gpu: Gpu;
  readonly setting: Setting;
  readonly ceilings: Ceilings;
  readonly decode: CurvePoint | undefined;
  readonly prefill: CurvePoint | undefined;
  readonly overBatch: readonly CurvePoint[];
  readonly overContext: readonly CurvePoint[];
  readonly overPrompt: readonly CurvePoint[];
  readonly turning: TurningBatch | undefined;
}

/** Every point and curve of a choice: formulas only, so it follows a slider at once. */
export function explore(whatIf: WhatIf, ceilingsOf: (gpu: Gpu) => Ceilings = dataSheetCeilings): Explored {
  const model = findModel(whatIf.model) ?? models[0];
  const gpu = findGpu(whatIf.gpu) ?? gpus[0];
  if (model === undefined || gpu === undefined) throw new Error('no model or no card is listed');
  const ceilings = ceilingsOf(gpu);
  const setting = settingOf(
    model,
    ceilings,
    whatIf.tensorParallel,
    findFormat(whatIf.format) ?? formatOf(model, gpu),
  );
  const { batch, context } = whatIf;
  return {
    model,
    gpu,
    setting,
    ceilings,
    decode: decodeOverBatch(setting, [batch], context)[0],
    prefill: prefillOverPrompt(setting, [context], 1)[0],
    overBatch: decodeOverBatch(setting, doublings(1, largestBatch), context),
    overContext: decodeOverContext(setting, doublings(128, longestContext), batch),
    overPrompt: prefillOverPrompt(setting, doublings(16, longestContext)),
    turning: decodeTurningBatch(setting, context, gpu.memoryBytes),
  };
}

/** A slider's step on a scale of powers of two, and back. */
export const stepOf = (value: number): number => Math.round(Math.log2(value));
export const valueAt = (step: number): number => 2 ** step;
