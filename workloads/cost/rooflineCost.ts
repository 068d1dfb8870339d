import { findGpu } from '../hardware/gpus.ts';
import { groupLink } from '../hardware/links.ts';
import { kernelsPerPass } from '../model/kernelCount.ts';
import { withKvQuantisation } from '../model/kvQuantisation.ts';
import { findModel } from '../model/models.ts';
import { productsOn } from '../model/products.ts';
import {
  alwaysReadWeights,
  attentionFlopsPerPair,
  elementwiseValues,
  expertWeights,
  headWeights,
  keyValueWeights,
  kvBytesPerToken,
  kvValuesPerToken,
  layerFlopsPerToken,
  type ModelShape,
} from '../model/shape.ts';
import { recurrenceFlopsPerToken, stateBytesPerSequence, WindowedAttention } from '../model/windowed.ts';
import { fastestAllReduceNs } from '../moe/collectives.ts';
import { kvDivisor } from '../moe/memory.ts';
import type { CostSpec } from '../run/costSpec.ts';
import { InputError } from '../run/inputError.ts';
import type { KvQuantisationSpec } from '../run/techniqueSpec.ts';
import type { Ns } from '../units.ts';
import {
  type CostModel,
  type DecodeLine,
  type IterationShape,
  type IterationWork,
  wholeNs,
} from './costModel.ts';

/**
 * Roofline of a model shape on a GPU data sheet. A pass is a row of kernels; each takes the longer of its arithmetic and
 * its memory traffic, so the three groups that differ in intensity are bounded apart and added:
 *
 *   layers' matrices   2 × active weights FLOPs per token        | weights once per pass, activations left out
 *   attention, prompt  4 × layers × heads × headDim per pair     | KV of the chunk's context
 *   attention, decode  the same per context token                | KV of the context: the memory side always rules
 *   lm_head            2 × hidden × vocabulary per sequence      | its weights
 *
 * Tensor parallelism divides all of it and adds two all-reduces of the activations per layer: a ring with one latency, or
 * those of `all_reduce` (`moe/collectives.ts`). A mixture of experts
 * reads the experts that at least one token picked: count × (1 − (1 − k/count)^tokens) of them, were the picks independent.
 */
export class RooflineCost implements CostModel {
  readonly peaks: { readonly flopPerSec: number; readonly bytesPerSec: number };
  private readonly overheadNs: number;
  /** All kernels' launches, first loads and last waves. */
  private readonly kernelNs: number;
  private readonly keyValueFlops: number;
  private readonly keyValueBytes: number;
  private readonly computeNsPerFlop: number;
  private readonly memoryNsPerByte: number;
  /** Attention runs in BF16 whatever the weights are. */
  private readonly attentionNsPerFlop: number;
  private readonly layerFlops: number;
  /** The same, each expert's counted as so many more as its matrices run slower. */
  private readonly timedFlops: number;
  /** FLOPs per token of all matrices but the routed experts'. */
  private readonly denseFlops: number;
  /** FLOPs of rows that pad all experts' tiles; 0 where padding is not modelled. */
  private readonly tileWaste: number;
  private readonly activationNsPerToken: number;
  private readonly fixedBytes: number;
  private readonly expertBytes: number;
  private readonly logUnpicked: number;
  private readonly pairFlops: number;
  /** Read by all GPUs of the group together: more than the cache holds where they cannot divide it. */
  private readonly kvBytes: number;
  private readonly headFlops: number;
  private readonly headBytes: number;
  private readonly reduceNsPerToken: number;
  private readonly reduceFixedNs: number;
  /** Dequantisation of one context token. */
  private readonly dequantiseNs: number;
  /** All-reduces whose algorithm depends on the size. */
  private readonly reduceNs: ((tokens: number) => number) | undefined;
  /** Attention of one decode context token. */
  private readonly contextNs: number;
  /** Cuts contexts and pairs down to what layers with windows see. */
  private readonly windowed: WindowedAttention;
  /** States of linear layers, read and written once per sequence and pass. */
  private readonly stateBytes: number;

  constructor(
    spec: Extract<CostSpec, { kind: 'roofline' }>,
    model: ModelShape,
    quantisation?: KvQuantisationSpec,
  ) {
    const gpu = findGpu(spec.gpu);
    if (gpu === undefined) throw new InputError(`cluster: no GPU "${spec.gpu}" in the data sheets`);
    const tp = spec.tensor_parallel;
    const products = productsOn(model, gpu);
    const rate = gpu.peak[products];
    if (rate === undefined) {
      throw new InputError(
        `cluster: ${model.label} needs ${products.toUpperCase()}, which the tensor cores of ${gpu.label} lack`,
      );
    }
    this.windowed = new WindowedAttention(model);
    this.stateBytes = 2 * stateBytesPerSequence(model);
    this.peaks = { flopPerSec: rate * tp, bytesPerSec: gpu.memoryBandwidth * tp };
    this.overheadNs = spec.iteration_overhead_us * 1e3;
    this.kernelNs = (spec.kernel_us ?? 0) * 1e3 * kernelsPerPass(model);
    this.computeNsPerFlop = 1e9 / (rate * spec.compute_efficiency * tp);
    this.attentionNsPerFlop = 1e9 / (gpu.peak.bf16 * spec.compute_efficiency * tp);
    this.memoryNsPerByte = 1e9 / (gpu.memoryBandwidth * spec.memory_efficiency * tp);
    this.layerFlops = layerFlopsPerToken(model) + recurrenceFlopsPerToken(model);
    const { expert_efficiency } = spec;
    const active = model.experts === undefined ? 0 : model.experts.perToken / model.experts.count;
    this.timedFlops =
      expert_efficiency === undefined || active === 0
        ? this.layerFlops
        : this.layerFlops +
          2 * expertWeights(model) * active * (spec.compute_efficiency / expert_efficiency - 1);
    this.denseFlops = this.layerFlops - 2 * expertWeights(model) * active;
    this.tileWaste =
      spec.expert_tile === undefined || active === 0
        ? 0
        : ((spec.expert_tile - 1) / 2) *
          2 *
          expertWeights(model) *
          (spec.compute_efficiency / (expert_efficiency ?? spec.compute_efficiency));
    const { wholeValues, dividedValues } = elementwiseValues(model);
    this.activationNsPerToken =
      spec.activation_traffic === true ? (wholeValues * tp + dividedValues) * 2 * this.memoryNsPerByte : 0;
    this.fixedBytes = alwaysReadWeights(model) * model.bytesPerWeight;
    this.expertBytes = expertWeights(model) * model.bytesPerWeight;
    this.logUnpicked =
      model.experts === undefined ? 0 : Math.log(1 - model.experts.perToken / model.experts.count);
    const keyValues = model.layers * keyValueWeights(model);
    this.keyValueFlops = 2 * keyValues;
    this.keyValueBytes = keyValues * model.bytesPerWeight;
    this.pairFlops = attentionFlopsPerPair(model);
    this.kvBytes = (kvBytesPerToken(model) * tp) / kvDivisor(model, tp);
    this.headFlops = 2 * headWeights(model);
    this.headBytes = headWeights(model) * model.bytesPerWeight;
    const link = groupLink(gpu);
    const ways = spec.all_reduce;
    if (ways !== undefined && tp > 1) {
      this.reduceNs = (tokens) =>
        2 *
        model.layers *
        fastestAllReduceNs(ways.among, tp, tokens * model.hidden * 2, ways.link, ways.start_us);
    }
    const reduces = tp > 1 && ways === undefined ? 2 * model.layers : 0;
    // Ring all-reduce: each GPU sends and receives 2 (n − 1)/n of the 2-byte activations.
    this.reduceNsPerToken = (reduces * ((2 * (tp - 1)) / tp) * model.hidden * 2 * 1e9) / link.bandwidth;
    this.reduceFixedNs = reduces * link.latency * 1e9;
    // CUDA cores bring stored values back to BF16 while the next ones are read, at the share of their peak that other arithmetic
    // reaches; an instruction is half of the fused multiply-add that data sheets count (A100: 9.75e12 per second, QServe's 9.8).
    this.dequantiseNs =
      quantisation === undefined
        ? 0
        : (kvValuesPerToken(model) * quantisation.dequantise_ops * 2e9) /
          (gpu.peak.fp32 * spec.compute_efficiency * tp);
    this.contextNs = Math.max(
      this.pairFlops * this.attentionNsPerFlop,
      this.kvBytes * this.memoryNsPerByte,
      this.dequantiseNs,
    );
  }

  static forModel(
    spec: Extract<CostSpec, { kind: 'roofline' }>,
    modelId: string,
    quantisation?: KvQuantisationSpec,
  ): RooflineCost {
    const model = findModel(modelId);
    if (model === undefined)
      throw new InputError(`cluster.model: no model "${modelId}" in the list of shapes`);
    if (quantisation === undefined) return new RooflineCost(spec, model);
    return new RooflineCost(spec, withKvQuantisation(model, quantisation), quantisation);
  }

  private weightBytes(tokens: number): number {
    if (this.expertBytes === 0) return this.fixedBytes;
    return this.fixedBytes + this.expertBytes * (1 - Math.exp(tokens * this.logUnpicked));
  }

  /** All layers' matrices, once: experts apart from the others where their padding is modelled. */
  private matricesNs(tokens: number): number {
    if (this.tileWaste === 0) {
      return Math.max(
        tokens * this.timedFlops * this.computeNsPerFlop,
        this.weightBytes(tokens) * this.memoryNsPerByte,
      );
    }
    const picked = 1 - Math.exp(tokens * this.logUnpicked);
    const dense = Math.max(
      tokens * this.denseFlops * this.computeNsPerFlop,
      this.fixedBytes * this.memoryNsPerByte,
    );
    const experts = Math.max(
      (tokens * (this.timedFlops - this.denseFlops) + picked * this.tileWaste) * this.computeNsPerFlop,
      picked * this.expertBytes * this.memoryNsPerByte,
    );
    return dense + experts;
  }

  iterationNs(shape: IterationShape): Ns {
    const positions = shape.decodeSequences * shape.decodeQueries;
    const tokens = shape.prefillTokens + positions;
    const heads = shape.prefillEnds + positions;
    return wholeNs(
      this.overheadNs +
        this.kernelNs +
        this.matricesNs(tokens) +
        this.promptAttentionNs(shape) +
        this.decodeAttentionNs(shape) +
        (shape.prefillSequences + shape.decodeSequences) * this.stateBytes * this.memoryNsPerByte +
        this.headNs(heads) +
        this.reduceFixedNs +
        tokens * this.reduceNsPerToken +
        tokens * this.activationNsPerToken +
        (this.reduceNs?.(tokens) ?? 0),
    );
  }

  /** Time of a pass before its first kernel. */
  get passOverheadNs(): number {
    return this.overheadNs;
  }

  promptAttentionNs(shape: IterationShape): number {
    const { prefillTokens, prefillPairs, prefillContextTokens, prefillSequences } = shape;
    if (prefillTokens === 0) return 0;
    const pairs = this.windowed.promptPairs(prefillTokens, prefillPairs);
    const context = this.windowed.promptContext(prefillTokens, prefillContextTokens, prefillSequences);
    return Math.max(
      pairs * this.pairFlops * this.attentionNsPerFlop,
      context * this.kvBytes * this.memoryNsPerByte,
    );
  }

  /** lm_head for so many rows. */
  headNs(rows: number): number {
    if (rows === 0) return 0;
    return Math.max(rows * this.headFlops * this.computeNsPerFlop, this.headBytes * this.memoryNsPerByte);
  }

  /** A share of the layers for so many tokens; attention for what decodes over `context`, prompts' attention left out. */
  layersNs(share: number, tokens: number, context: number): number {
    return (
      share *
      (this.kernelNs +
        this.matricesNs(tokens) +
        context * this.contextNs +
        this.reduceFixedNs +
        tokens * (this.reduceNsPerToken + this.activationNsPerToken) +
        (this.reduceNs?.(tokens) ?? 0))
    );
  }

  /** Keys and values alone, of a share of the layers for so many tokens; `reads`: the weights are not at hand anyway. */
  keyValueNs(share: number, tokens: number, reads: boolean): number {
    const flops = tokens * this.keyValueFlops * this.computeNsPerFlop;
    return share * (reads ? Math.max(flops, this.keyValueBytes * this.memoryNsPerByte) : flops);
  }

  /** Several positions of one sequence read its KV once; each sees one token more than the one before it. */
  private decodeAttentionNs(shape: IterationShape): number {
    const { decodeSequences, decodeQueries } = shape;
    const context = this.windowed.decodeTokens(decodeSequences, shape.decodeContextTokens);
    if (decodeQueries === 1) return context * this.contextNs;
    const more = decodeQueries - 1;
    return Math.max(
      decodeQueries * (context + (decodeSequences * more) / 2) * this.pairFlops * this.attentionNsPerFlop,
      (context + decodeSequences * more) * Math.max(this.kvBytes * this.memoryNsPerByte, this.dequantiseNs),
    );
  }

  decodeLine(sequences: number, line: DecodeLine): boolean {
    // With windows, time bends at the context that they reach.
    if (!this.windowed.isPlain) return false;
    line.baseNs =
      this.overheadNs +
      this.kernelNs +
      this.matricesNs(sequences) +
      Math.max(sequences * this.headFlops * this.computeNsPerFlop, this.headBytes * this.memoryNsPerByte) +
      this.reduceFixedNs +
      sequences * this.reduceNsPerToken +
      sequences * this.activationNsPerToken +
      sequences * this.stateBytes * this.memoryNsPerByte +
      (this.reduceNs?.(sequences) ?? 0);
    line.perContextTokenNs = this.contextNs;
    return true;
  }

  work(shape: IterationShape, work: IterationWork): void {
    const { decodeQueries } = shape;
    const positions = shape.decodeSequences * decodeQueries;
    const tokens = shape.prefillTokens + positions;
    const heads = shape.prefillEnds + positions;
    const prompt = shape.prefillTokens > 0;
    const { windowed } = this;
    const decoded = windowed.decodeTokens(shape.decodeSequences, shape.decodeContextTokens);
    const pairs = decodeQueries * decoded + (positions * (decodeQueries - 1)) / 2;
    const { prefillTokens, prefillPairs, prefillContextTokens, prefillSequences } = shape;
    work.flops =
      tokens * this.layerFlops +
      (prompt ? windowed.promptPairs(prefillTokens, prefillPairs) : 0) * this.pairFlops +
      pairs * this.pairFlops +
      heads * this.headFlops;
    work.bytes =
      this.weightBytes(tokens) +
      ((prompt ? windowed.promptContext(prefillTokens, prefillContextTokens, prefillSequences) : 0) +
        decoded) *
        this.kvBytes +
      ((prompt ? prefillSequences : 0) + shape.decodeSequences) * this.stateBytes +
      (heads > 0 ? this.headBytes : 0);
  }
}
