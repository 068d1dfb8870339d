import type { ExpertLayer } from '../moe/expertLayers.ts';
import type { Ns } from '../units.ts';
import type { IterationShape } from './costModel.ts';

/** Where the time of the last pass went, ns. */
export interface MoePass {
  totalNs: number;
  /** Grouped GEMMs of the slowest rank, all sparse layers; and of the mean rank. */
  expertNs: number;
  meanExpertNs: number;
  /** Dispatch and combine; and what of it nothing hid. */
  exchangeNs: number;
  exposedNs: number;
  tokens: number;
}

/** How long a pass of a whole expert group takes, one shape per data-parallel rank; the last one's parts are kept. */
export interface GroupCost {
  readonly dataRanks: number;
  readonly last: MoePass;
  /** The sparse layer that was read last. */
  readonly layer: ExpertLayer;
  passNs(shapes: readonly IterationShape[]): Ns;
}
