import type { ModelShape } from '../model/shape.ts';
import { type ExpertLayer, type ExpertLayers, emptyLayer, expertLayers } from '../moe/expertLayers.ts';
import type { CostSpec } from '../run/costSpec.ts';
import { InputError } from '../run/inputError.ts';
import { type MoeTable, moeBlockUs, moeFile } from './moeTable.ts';
import type { OperatorTables } from './operatorTables.ts';

/** The MoE blocks of a pass from the measured table: how many experts have a token follows from the gate and the tokens. */
export class OperatorExperts {
  readonly dataRanks: number;
  /** The layer that was priced last. */
  readonly layer: ExpertLayer = emptyLayer();
  /** Of the last pass: MoE blocks and exchange, µs. */
  blocksUs = 0;
  exchangeUs = 0;
  private readonly table: MoeTable;
  private readonly layers: ExpertLayers;
  private readonly sparse: number;
  private readonly ranks: number;
  private readonly exchangeUsPerToken: number;
  private readonly exchangeFixedUs: number;
  private readonly known = new Map<number, number>();

  constructor(
    spec: Extract<CostSpec, { kind: 'operators' }>,
    model: Pick<ModelShape, 'layers' | 'hidden' | 'experts'>,
    tables: OperatorTables,
  ) {
    const { experts } = model;
    if (experts === undefined) throw new Error('operators: a dense model has no experts');
    if (tables.moe === undefined) {
      throw new InputError(
        `${tables.name}/${moeFile}: not there, expected the measured MoE block of a mixture of experts`,
      );
    }
    const { ranks = 1, data_ranks = 1, gate_skew = 0, link } = spec.experts ?? {};
    if (data_ranks > 1 && link === undefined) {
      throw new InputError('cost.experts.link: absent, expected the link that data_ranks gather tokens over');
    }
    if (ranks % data_ranks !== 0 && ranks > 1) {
      throw new InputError(
        `cost.experts.ranks: ${ranks}, expected a multiple of the ${data_ranks} data_ranks, or 1`,
      );
    }
    this.table = tables.moe;
    this.sparse = model.layers - experts.denseLayers;
    this.ranks = ranks;
    this.dataRanks = data_ranks;
    this.layers = expertLayers(
      {
        group: '',
        ranks,
        island: ranks,
        gate: { kind: 'zipf', skew: gate_skew },
        routing: 'free',
        placement: 'linear',
        redundant: 0,
        exchange: 'all_gather',
        dispatch_bytes: 2,
        combine_bytes: 2,
        island_link: { bandwidth_gb_per_s: 1, latency_us: 0 },
        network: { bandwidth_gb_per_s: 1, latency_us: 0 },
        overlap: 'none',
        kernels: { kind: 'grouped' },
        seed: 7,
      },
      experts.count,
      experts.perToken,
      { nsPerPair: 1, nsPerExpert: 1 },
    );
    // Gathered: activations and the gate's logits; reduced: activations. Rings of data_ranks − 1 steps, BF16.
    const steps = data_ranks - 1;
    const bytes = (2 * model.hidden + experts.count) * 2;
    this.exchangeFixedUs = 2 * steps * (link?.latency_us ?? 0);
    this.exchangeUsPerToken = ((steps / data_ranks) * bytes) / ((link?.bandwidth_gb_per_s ?? 1) * 1e3);
  }

  /** All sparse layers of a pass; `tokens` with padding, `real` without. */
  groupUs(tokens: number, real: number): number {
    // Real tokens decide which experts are read; both together are the question.
    const key = tokens * 1048576 + real;
    let block = this.known.get(key);
    this.layers.at(real, this.layer);
    if (block === undefined) {
      const { rankImbalance, busiestActive } = this.layer;
      block = moeBlockUs(this.table, this.ranks, tokens, rankImbalance / this.ranks, busiestActive);
      this.known.set(key, block);
    }
    this.blocksUs = this.sparse * block;
    this.exchangeUs =
      this.dataRanks === 1 ? 0 : this.sparse * (this.exchangeFixedUs + this.exchangeUsPerToken * tokens);
    return this.blocksUs + this.exchangeUs;
  }

  /** The same with the batch of one rank on all of them. */
  alikeUs(tokens: number, real: number): number {
    return this.groupUs(tokens * this.dataRanks, real * this.dataRanks);
  }
}
