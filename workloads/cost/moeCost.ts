import { findGpu } from '../hardware/gpus.ts';
import { kernelsPerPass } from '../model/kernelCount.ts';
import { findModel } from '../model/models.ts';
import { productsOn } from '../model/products.ts';
import {
  alwaysReadWeights,
  attentionFlopsPerPair,
  elementwiseValues,
  headWeights,
  kvBytesPerToken,
  type ModelShape,
} from '../model/shape.ts';
import { WindowedAttention } from '../model/windowed.ts';
import { fastestAllReduceNs } from '../moe/collectives.ts';
import { type ExpertLayer, type ExpertLayers, emptyLayer, expertLayers } from '../moe/expertLayers.ts';
import { kvDivisor } from '../moe/memory.ts';
import type { CostSpec } from '../run/costSpec.ts';
import { InputError } from '../run/inputError.ts';
import type { MoeSpec } from '../run/moeSpec.ts';
import type { Ns } from '../units.ts';
import { type CostModel, type DecodeLine, IterationShape, type IterationWork, wholeNs } from './costModel.ts';
import type { GroupCost, MoePass } from './groupCost.ts';

type Roofline = Extract<CostSpec, { kind: 'roofline' }>;

/**
 * Roofline of a mixture of experts whose experts are divided over a group of GPUs. Each data-parallel rank computes attention,
 * the dense layers and the shared expert of its own tokens; the routed experts are computed where they live:
 *
 *   rank:   attention, dense ─┬─ dispatch ── grouped GEMM ── combine ─┬─ next layer
 *           (slowest rank)    └─ shared expert (overlap: beside it) ──┘   (slowest rank)
 *
 * A pass lasts as long as its slowest rank in each part. `passNs` takes what every rank computes in the pass, so that an uneven
 * batch shows; `iterationNs` takes all ranks to be alike. With one data-parallel rank (tensor_parallel = ranks) every GPU has all
 * tokens: nothing is exchanged, the layer's second all-reduce combines.
 *
 * Left out: padding of a GEMM's rows to its tile, and the gate's own arithmetic (its weights are in the dense part).
 */
export class MoeCost implements CostModel, GroupCost {
  readonly peaks: { readonly flopPerSec: number; readonly bytesPerSec: number };
  readonly last: MoePass = {
    totalNs: 0,
    expertNs: 0,
    meanExpertNs: 0,
    exchangeNs: 0,
    exposedNs: 0,
    tokens: 0,
  };
  /** The layer that `passNs` read last. */
  readonly layer: ExpertLayer = emptyLayer();
  readonly layers: ExpertLayers;
  readonly spec: MoeSpec;
  readonly dataRanks: number;
  private readonly model: ModelShape;
  private readonly k: number;
  private readonly sparse: number;
  private readonly overheadNs: number;
  private readonly kernelNs: number;
  private readonly allReduce: NonNullable<Roofline['all_reduce']>;
  private readonly activationNsPerToken: number;
  private readonly computeNsPerFlop: number;
  private readonly attentionNsPerFlop: number;
  private readonly memoryNsPerByte: number;
  private readonly denseFlops: number;
  private readonly denseBytes: number;
  private readonly sharedFlops: number;
  private readonly sharedBytes: number;
  private readonly pairFlops: number;
  private readonly kvBytes: number;
  private readonly headFlops: number;
  private readonly headBytes: number;
  private readonly contextNs: number;
  /** Cuts contexts and pairs down to what layers with windows see. */
  private readonly windowed: WindowedAttention;
  private readonly expertFlops: number;
  private readonly expertBytes: number;
  private readonly tensorParallel: number;
  private readonly alone: readonly IterationShape[];
  private readonly one = new IterationShape();

  constructor(spec: Roofline, moe: MoeSpec, model: ModelShape) {
    const gpu = findGpu(spec.gpu);
    if (gpu === undefined) throw new InputError(`cluster: no GPU "${spec.gpu}" in the data sheets`);
    const { experts } = model;
    if (experts === undefined) {
      throw new InputError(`cluster: ${model.label} has no experts, expected a mixture of experts for moe`);
    }
    const tp = spec.tensor_parallel;
    if (moe.ranks % tp !== 0) {
      throw new InputError(
        `cluster: moe.ranks ${moe.ranks} is no multiple of tensor_parallel ${tp}, expected whole data-parallel ranks`,
      );
    }
    if (moe.ranks % moe.island !== 0 && moe.ranks > moe.island) {
      throw new InputError(
        `cluster: moe.ranks ${moe.ranks} is no multiple of moe.island ${moe.island}, expected whole islands`,
      );
    }
    if (moe.gate.kind === 'histogram' && moe.gate.loads.length !== experts.count) {
      throw new InputError(
        `cluster: moe.gate.loads has ${moe.gate.loads.length} values, expected one per expert: ${experts.count}`,
      );
    }
    const products = productsOn(model, gpu);
    const rate = gpu.peak[products];
    if (rate === undefined) {
      throw new InputError(
        `cluster: ${model.label} needs ${products.toUpperCase()}, which the tensor cores of ${gpu.label} lack`,
      );
    }
    this.windowed = new WindowedAttention(model);
    this.model = model;
    this.spec = moe;
    this.k = experts.perToken;
    this.dataRanks = moe.ranks / tp;
    this.tensorParallel = tp;
    this.sparse = model.layers - experts.denseLayers;
    this.peaks = { flopPerSec: rate * tp, bytesPerSec: gpu.memoryBandwidth * tp };
    this.overheadNs = spec.iteration_overhead_us * 1e3;
    this.kernelNs = (spec.kernel_us ?? 0) * 1e3 * kernelsPerPass(model);
    this.allReduce = spec.all_reduce ?? { among: ['ring', 'two_shot'], link: moe.island_link };
    this.computeNsPerFlop = 1e9 / (rate * spec.compute_efficiency);
    this.attentionNsPerFlop = 1e9 / (gpu.peak.bf16 * spec.compute_efficiency * tp);
    this.memoryNsPerByte = 1e9 / (gpu.memoryBandwidth * spec.memory_efficiency);
    const shared = this.sparse * 3 * model.hidden * experts.sharedIntermediate;
    const dense = alwaysReadWeights(model) - shared;
    this.denseFlops = (2 * dense) / tp;
    this.denseBytes = (dense * model.bytesPerWeight) / tp;
    this.sharedFlops = (2 * shared) / tp;
    this.sharedBytes = (shared * model.bytesPerWeight) / tp;
    this.pairFlops = attentionFlopsPerPair(model);
    this.kvBytes = kvBytesPerToken(model);
    this.headFlops = (2 * headWeights(model)) / tp;
    this.headBytes = (headWeights(model) * model.bytesPerWeight) / tp;
    this.contextNs = Math.max(
      this.pairFlops * this.attentionNsPerFlop,
      (this.kvBytes * this.memoryNsPerByte) / kvDivisor(model, tp),
    );
    const width = 3 * model.hidden * experts.intermediate;
    this.expertFlops = 2 * width;
    this.expertBytes = width * model.bytesPerWeight;
    const nsPerPair = (this.expertFlops * 1e9) / (rate * (spec.expert_efficiency ?? spec.compute_efficiency));
    const { wholeValues, dividedValues } = elementwiseValues(model);
    this.activationNsPerToken =
      spec.activation_traffic === true ? (wholeValues + dividedValues / tp) * 2 * this.memoryNsPerByte : 0;
    this.layers = expertLayers(moe, experts.count, experts.perToken, {
      nsPerPair,
      nsPerExpert: this.expertBytes * this.memoryNsPerByte,
      ...(spec.expert_tile === undefined ? {} : { paddingNs: (nsPerPair * (spec.expert_tile - 1)) / 2 }),
    });
    this.alone = Array.from({ length: this.dataRanks }, () => this.one);
  }

  static forModel(spec: Roofline, moe: MoeSpec, modelId: string): MoeCost {
    const model = findModel(modelId);
    if (model === undefined)
      throw new InputError(`cluster.model: no model "${modelId}" in the list of shapes`);
    return new MoeCost(spec, moe, model);
  }

  /** A pass of the whole group: one shape per data-parallel rank, empty where a rank has nothing to do. */
  passNs(shapes: readonly IterationShape[]): Ns {
    const two = this.spec.overlap === 'two_batch';
    const share = two ? 0.5 : 1;
    let denseNs = 0;
    let headNs = 0;
    let sharedNs = 0;
    let tokens = 0;
    let busiest = 0;
    for (const shape of shapes) {
      const own = shape.prefillTokens + shape.decodeSequences;
      tokens += own;
      busiest = Math.max(busiest, own);
      denseNs = Math.max(denseNs, this.rankNs(shape, share));
      sharedNs = Math.max(sharedNs, this.bounded(own * share, this.sharedFlops, this.sharedBytes));
      const heads = shape.prefillEnds + shape.decodeSequences;
      if (heads > 0) headNs = Math.max(headNs, this.bounded(heads, this.headFlops, this.headBytes));
    }
    const { layer, sparse, last } = this;
    this.layers.at(tokens * share, layer);
    let expertNs = layer.expertNs;
    if (this.spec.kernels.kind === 'loop') {
      // Each expert of the rank waits for the host, and its weights and arithmetic no longer share a kernel.
      expertNs += this.layers.mostPerRank * this.spec.kernels.per_expert_us * 1e3;
    }
    const exchangeNs = this.dataRanks === 1 ? 0 : this.exchangeNs(tokens * share, busiest * share);
    let layersNs: number;
    let exposedNs: number;
    const computeNs = denseNs + sharedNs + sparse * expertNs;
    switch (this.spec.overlap) {
      case 'none':
        exposedNs = sparse * exchangeNs;
        layersNs = computeNs + exposedNs;
        break;
      case 'shared_expert':
        exposedNs = Math.max(0, sparse * exchangeNs - sharedNs);
        layersNs = computeNs + exposedNs;
        break;
      case 'two_batch':
        // One half computes while the other travels; both halves read the weights.
        exposedNs = 2 * Math.max(0, sparse * exchangeNs - computeNs);
        layersNs = 2 * computeNs + exposedNs;
        break;
      default: {
        const never: never = this.spec.overlap;
        return never;
      }
    }
    const total = wholeNs(this.overheadNs + (two ? 2 : 1) * this.kernelNs + layersNs + headNs);
    last.totalNs = total;
    last.expertNs = (sparse * expertNs) / share;
    last.meanExpertNs = (sparse * (layer.meanExpertNs + expertNs - layer.expertNs)) / share;
    last.exchangeNs = (sparse * exchangeNs) / share;
    last.exposedNs = exposedNs;
    last.tokens = tokens;
    return total;
  }

  private bounded(tokens: number, flops: number, bytes: number): number {
    return tokens === 0 ? 0 : Math.max(tokens * flops * this.computeNsPerFlop, bytes * this.memoryNsPerByte);
  }

  /** Attention and dense layers of one rank, all layers. */
  private rankNs(shape: IterationShape, share: number): number {
    const tokens = (shape.prefillTokens + shape.decodeSequences) * share;
    const { windowed, tensorParallel: tp } = this;
    let ns = this.bounded(tokens, this.denseFlops, this.denseBytes);
    if (shape.prefillTokens > 0) {
      ns +=
        share *
        Math.max(
          windowed.promptPairs(shape.prefillTokens, shape.prefillPairs) *
            this.pairFlops *
            this.attentionNsPerFlop,
          (windowed.promptContext(shape.prefillTokens, shape.prefillContextTokens, shape.prefillSequences) *
            this.kvBytes *
            this.memoryNsPerByte) /
            kvDivisor(this.model, tp),
        );
    }
    ns += share * windowed.decodeTokens(shape.decodeSequences, shape.decodeContextTokens) * this.contextNs;
    if (tp > 1 && tokens > 0) {
      const bytes = tokens * this.model.hidden * 2;
      const { among, link, start_us } = this.allReduce;
      ns += 2 * this.model.layers * fastestAllReduceNs(among, tp, bytes, link, start_us);
    }
    ns += tokens * this.activationNsPerToken;
    return ns;
  }

  /** Dispatch and combine of one sparse layer. Both ends of a rank bound it: what arrives, and what the busiest rank sends. */
  private exchangeNs(tokens: number, busiestTokens: number): number {
    const { spec, layer, model } = this;
    const { ranks } = spec;
    const island = Math.min(spec.island, ranks);
    const bytes = model.hidden * (spec.dispatch_bytes + spec.combine_bytes);
    const inside = spec.island_link;
    const outside = spec.network;
    if (spec.exchange === 'all_gather') {
      // Every rank receives what it lacks; what crosses islands comes once per GPU pair of twins and is shared inside.
      const lacking = (tokens * (island - 1)) / island;
      const far = ranks > island ? (tokens * (ranks - island)) / ranks / island : 0;
      return (
        Math.max((lacking * bytes) / inside.bandwidth_gb_per_s, (far * bytes) / outside.bandwidth_gb_per_s) +
        2e3 * (ranks > island ? outside.latency_us + inside.latency_us : inside.latency_us)
      );
    }
    // A data-parallel rank of several GPUs has its tokens shared out among them before they are sent.
    const sends = busiestTokens / this.tensorParallel;
    const near = Math.max(layer.islandCopies, sends * layer.islandPerToken);
    const far = Math.max(layer.networkCopies, sends * layer.networkPerToken);
    const both = spec.exchange === 'hierarchical' && far > 0 ? inside.latency_us : 0;
    const latency = far > 0 ? outside.latency_us + both : near > 0 ? inside.latency_us : 0;
    return (
      Math.max((near * bytes) / inside.bandwidth_gb_per_s, (far * bytes) / outside.bandwidth_gb_per_s) +
      2e3 * latency
    );
  }

  /** All ranks alike. */
  iterationNs(shape: IterationShape): Ns {
    Object.assign(this.one, shape);
    return this.passNs(this.alone);
  }

  /** Its passes are never run in one go: other ranks have a say in each. */
  decodeLine(_sequences: number, _line: DecodeLine): boolean {
    return false;
  }

  work(shape: IterationShape, work: IterationWork): void {
    const tokens = shape.prefillTokens + shape.decodeSequences;
    const heads = shape.prefillEnds + shape.decodeSequences;
    const tp = this.tensorParallel;
    const { windowed } = this;
    const decoded = windowed.decodeTokens(shape.decodeSequences, shape.decodeContextTokens);
    const prompt = shape.prefillTokens > 0;
    const pairs = prompt ? windowed.promptPairs(shape.prefillTokens, shape.prefillPairs) : 0;
    const context =
      (prompt
        ? windowed.promptContext(shape.prefillTokens, shape.prefillContextTokens, shape.prefillSequences)
        : 0) + decoded;
    work.flops =
      tokens * (this.denseFlops + this.sharedFlops) * tp +
      tokens * this.sparse * this.k * this.expertFlops +
      pairs * this.pairFlops +
      decoded * this.pairFlops +
      heads * this.headFlops * tp;
    // The rank's share of the experts that were read, as of the pass that was priced last.
    work.bytes =
      (this.denseBytes + this.sharedBytes) * tp +
      (this.sparse * this.layer.active * this.expertBytes) / this.dataRanks +
      context * this.kvBytes +
      (heads > 0 ? this.headBytes * tp : 0);
  }
}
