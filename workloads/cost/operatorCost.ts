import { findModel } from '../model/models.ts';
import type { ModelShape } from '../model/shape.ts';
import type { CostSpec } from '../run/costSpec.ts';
import { InputError } from '../run/inputError.ts';
import type { Ns } from '../units.ts';
import {
  type CostModel,
  type DecodeLine,
  type IterationShape,
  type IterationWork,
  wholeNs,
} from './costModel.ts';
import { onCurve } from './measuredGrid.ts';
import { OperatorExperts } from './operatorExperts.ts';
import { type OperatorTables, operatorTables } from './operatorTables.ts';

/** Operators that run once per pass; every other one runs in each layer. */
const oncePerPass = new Set(['embedding', 'final_layernorm']);
/** Runs before attention and before the MLP. */
const twicePerLayer = new Set(['layernorm']);

/**
 * A pass as the sum of its operators, each as measured on the card:
 *
 *   layers × (dense operators by tokens + attention by what is in the pass) + embedding, final norm
 *   + sparse layers × (MoE block by tokens and experts with a token + exchange) of a mixture of experts
 *   + lm_head and sampler by the sequences that get a token + the stated idle time between two passes
 *
 * A batch of few tokens runs as a captured CUDA graph, padded to the next captured size: 1, 2, 4, multiples of 8 to 256,
 * then of 16 (vLLM's list); lm_head and sampler run outside the graph and are not padded.
 *
 * Attention of several chunks is that of one chunk with all their tokens and as many (query, key) pairs: with C tokens
 * and P pairs, a context before it of (P − C(C + 1)/2) ÷ C tokens. That is below 0 for several short prompts, where the
 * line through the first two points goes on: two chunks of 1,024 tokens cost 217 µs so on a RTX 4090, 2 × 108 apart.
 */
export class OperatorCost implements CostModel {
  readonly peaks = undefined;
  private readonly tables: OperatorTables;
  private readonly shortestPromptUs: number;
  private readonly layers: number;
  private readonly overheadUs: number;
  readonly needsLongest: boolean;
  private readonly skew: number;
  private readonly graphTokens: number;
  private readonly reduceUsPerToken: number;
  private readonly reduceUs: number;
  /** Dense operators of a pass by tokens, filled when first asked for. */
  private readonly denseUs: number[] = [];
  private readonly headUs: number[] = [];
  /** The MoE block of the sparse layers. */
  readonly experts: OperatorExperts | undefined;

  constructor(
    spec: Extract<CostSpec, { kind: 'operators' }>,
    model: Pick<ModelShape, 'layers' | 'hidden' | 'experts'>,
    tables: OperatorTables,
  ) {
    this.tables = tables;
    this.experts = model.experts === undefined ? undefined : new OperatorExperts(spec, model, tables);
    this.shortestPromptUs = tables.prompt.at(1, 0);
    this.layers = model.layers;
    this.overheadUs = spec.iteration_overhead_us;
    this.graphTokens = spec.graph_tokens;
    this.skew = spec.skew;
    this.needsLongest = spec.skew > 0;
    const tp = spec.tensor_parallel;
    // Ring all-reduce of the 2-byte activations after attention and after the MLP.
    const reduces = tp > 1 ? 2 * model.layers : 0;
    this.reduceUs = reduces * (spec.all_reduce?.latency_us ?? 0);
    this.reduceUsPerToken =
      spec.all_reduce === undefined
        ? 0
        : (reduces * ((2 * (tp - 1)) / tp) * model.hidden * 2) / (spec.all_reduce.bandwidth_gb_per_s * 1e3);
  }

  static forModel(spec: Extract<CostSpec, { kind: 'operators' }>, modelId: string): OperatorCost {
    const model = findModel(modelId);
    if (model === undefined)
      throw new InputError(`cluster.model: no model "${modelId}" in the list of shapes`);
    return new OperatorCost(spec, model, operatorTables(spec.path, spec.sha256 ?? ''));
  }

  private dense(tokens: number): number {
    const known = this.denseUs[tokens];
    if (known !== undefined) return known;
    let us = this.reduceUs + this.reduceUsPerToken * tokens;
    for (const [operator, curve] of this.tables.dense) {
      const times = oncePerPass.has(operator) ? 1 : this.layers * (twicePerLayer.has(operator) ? 2 : 1);
      us += times * onCurve(curve, tokens);
    }
    this.denseUs[tokens] = us;
    return us;
  }

  private head(sequences: number): number {
    const known = this.headUs[sequences];
    if (known !== undefined) return known;
    let us = 0;
    if (sequences > 0) for (const curve of this.tables.perSequence.values()) us += onCurve(curve, sequences);
    this.headUs[sequences] = us;
    return us;
  }

  /** One layer's attention. */
  attentionUs(shape: IterationShape): number {
    const sequences = shape.decodeSequences;
    const even = this.evenUs(shape, sequences === 0 ? 0 : shape.decodeContextTokens / sequences);
    // Beside a prompt the kernel runs one block per query head, four or eight times as many: those even out.
    if (this.skew === 0 || sequences < 2 || shape.prefillTokens > 0) return even;
    return even + this.skew * Math.max(0, this.evenUs(shape, shape.decodeLongestTokens) - even);
  }

  /** As if all sequences had this context. */
  private evenUs(shape: IterationShape, context: number): number {
    const { prompt, decode, mixed } = this.tables;
    const chunk = shape.prefillTokens;
    const sequences = shape.decodeSequences;
    if (chunk === 0) return decode.at(sequences, context);
    const before = (shape.prefillPairs - (chunk * (chunk + 1)) / 2) / chunk;
    // Short prompts side by side: on the line from no context to one as long as the chunk.
    const missing = before < 0 ? ((prompt.at(chunk, chunk) - prompt.at(chunk, 0)) * before) / chunk : 0;
    const past = Math.max(0, before);
    const floor = this.shortestPromptUs;
    if (sequences === 0) return Math.max(floor, prompt.at(chunk, past) + missing);
    return Math.max(floor, mixed.at(chunk, sequences, past, context) + missing);
  }

  iterationNs(shape: IterationShape): Ns {
    const real = shape.prefillTokens + shape.decodeSequences;
    const tokens = padded(real, this.graphTokens);
    const us =
      this.overheadUs +
      this.dense(tokens) +
      this.layers * this.attentionUs(shape) +
      this.head(shape.prefillEnds + shape.decodeSequences) +
      (this.experts?.alikeUs(tokens, real) ?? 0);
    return wholeNs(us * 1e3);
  }

  /**
   * A pass of data-parallel ranks that exchange tokens in every sparse layer: it lasts as long as the slowest in each part. Captured
   * passes are padded to the largest rank's size on all ranks, as vLLM pads them.
   */
  groupNs(shapes: readonly IterationShape[]): Ns {
    let most = 0;
    let real = 0;
    let attention = 0;
    let head = 0;
    for (const shape of shapes) {
      const own = shape.prefillTokens + shape.decodeSequences;
      real += own;
      most = Math.max(most, own);
      if (own > 0) attention = Math.max(attention, this.attentionUs(shape));
      head = Math.max(head, this.head(shape.prefillEnds + shape.decodeSequences));
    }
    const tokens = padded(most, this.graphTokens);
    const gathered = most <= this.graphTokens ? tokens * shapes.length : real;
    const us =
      this.overheadUs +
      this.dense(tokens) +
      this.layers * attention +
      head +
      (this.experts?.groupUs(gathered, real) ?? 0);
    return wholeNs(us * 1e3);
  }

  /** Measured points are no straight line. */
  decodeLine(_sequences: number, _line: DecodeLine): boolean {
    return false;
  }

  work(_shape: IterationShape, work: IterationWork): void {
    work.flops = 0;
    work.bytes = 0;
  }
}

/** The captured size that a batch runs as; batches of more than `most` tokens run as they are. */
export function padded(tokens: number, most: number): number {
  if (tokens > most || tokens <= 2) return tokens;
  if (tokens <= 4) return Math.min(4, most);
  const step = tokens <= 248 ? 8 : 16;
  return Math.min(most, Math.ceil(tokens / step) * step);
}
