import type { Bytes, BytesPerSec, Seconds } from '../units.ts';

/** What a GPU server has below HBM, per server of eight GPUs. */
export interface NodeMemory {
  readonly bytes: Bytes;
  /** As reached by large transfers; host memory is as fast as the links to it (`links.ts`). */
  readonly read?: BytesPerSec;
  readonly write?: BytesPerSec;
  readonly latency: Seconds;
  readonly source: string;
}

export const hostMemory: NodeMemory = {
  bytes: 2e12,
  latency: 10e-6,
  source: 'DGX H100 and H200: 2 TB of DDR5 (DGX BasePOD reference architecture)',
};

export const nvmeArray: NodeMemory = {
  bytes: 8 * 3.84e12,
  read: 8 * 6.5e9 * 0.8,
  write: 8 * 3.5e9 * 0.8,
  latency: 100e-6,
  source:
    'DGX H100 and H200: eight 3.84 TB U.2 drives (DGX BasePOD reference architecture) × 6.5 GB/s up and 3.5 GB/s down (Samsung PM9A3, U.2) × 0.8',
};
