import { findModel } from '../model/models.ts';
import type { ModelShape } from '../model/shape.ts';
import type { CostSpec } from '../run/costSpec.ts';
import { InputError } from '../run/inputError.ts';
import type { PipelineSpec } from '../run/pipelineSpec.ts';
import type { Ns } from '../units.ts';
import {
  type CostModel,
  type DecodeLine,
  type IterationShape,
  type IterationWork,
  wholeNs,
} from './costModel.ts';
import { RooflineCost } from './rooflineCost.ts';

type Roofline = Extract<CostSpec, { kind: 'roofline' }>;

/**
 * The stages of one model: each computes an equal share of the layers (earlier ones take the remainder), the last one lm_head
 * too. A pass of one micro-batch alone takes the host's overhead, every stage and every hop between them; what several
 * micro-batches gain by sharing the stages is the business of `PipelineLine`.
 */
export class PipelineCost implements CostModel {
  readonly peaks: { readonly flopPerSec: number; readonly bytesPerSec: number };
  readonly stages: readonly RooflineCost[];
  readonly overheadNs: number;
  readonly spec: PipelineSpec;
  private readonly hidden: number;
  private readonly part: IterationWork = { flops: 0, bytes: 0 };

  constructor(spec: Roofline, pipeline: PipelineSpec, model: ModelShape) {
    if (pipeline.stages > model.layers) {
      throw new InputError(
        `cluster: pipeline.stages ${pipeline.stages}, expected at most the ${model.layers} layers of ${model.label}`,
      );
    }
    this.spec = pipeline;
    this.overheadNs = spec.iteration_overhead_us * 1e3;
    this.hidden = model.hidden;
    const { pipeline: _line, moe: _moe, ...own } = spec;
    const each = Math.floor(model.layers / pipeline.stages);
    const more = model.layers % pipeline.stages;
    let dense = model.experts?.denseLayers ?? 0;
    this.stages = Array.from({ length: pipeline.stages }, (_, s) => {
      const layers = each + (s < more ? 1 : 0);
      const leading = Math.min(layers, dense);
      dense -= leading;
      return new RooflineCost(
        { ...own, iteration_overhead_us: 0 },
        {
          ...model,
          layers,
          vocabulary: s === pipeline.stages - 1 ? model.vocabulary : 0,
          ...(model.experts === undefined ? {} : { experts: { ...model.experts, denseLayers: leading } }),
        },
      );
    });
    const first = this.stages[0];
    this.peaks = {
      flopPerSec: (first?.peaks.flopPerSec ?? 0) * pipeline.stages,
      bytesPerSec: (first?.peaks.bytesPerSec ?? 0) * pipeline.stages,
    };
  }

  static forModel(spec: Roofline, pipeline: PipelineSpec, modelId: string): PipelineCost {
    const model = findModel(modelId);
    if (model === undefined)
      throw new InputError(`cluster.model: no model "${modelId}" in the list of shapes`);
    return new PipelineCost(spec, pipeline, model);
  }

  /** Activations of a micro-batch from one stage to the next. */
  hopNs(shape: IterationShape): number {
    const bytes = (shape.prefillTokens + shape.decodeSequences) * this.hidden * 2;
    return this.spec.link.latency_us * 1e3 + bytes / this.spec.link.bandwidth_gb_per_s;
  }

  iterationNs(shape: IterationShape): Ns {
    let ns = this.overheadNs + (this.stages.length - 1) * this.hopNs(shape);
    for (const stage of this.stages) ns += stage.iterationNs(shape);
    return wholeNs(ns);
  }

  /** Others are in the stages too: no run of passes can be taken in one go. */
  decodeLine(_sequences: number, _line: DecodeLine): boolean {
    return false;
  }

  work(shape: IterationShape, work: IterationWork): void {
    let flops = 0;
    let bytes = 0;
    for (const stage of this.stages) {
      stage.work(shape, this.part);
      flops += this.part.flops;
      bytes += this.part.bytes;
    }
    work.flops = flops;
    work.bytes = bytes;
  }
}
