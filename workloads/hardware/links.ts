import type { BytesPerSec, Seconds } from '../units.ts';
import type { Gpu } from './gpus.ts';

/** A way between two GPUs: what one direction carries in practice, and what a small message costs. */
export interface Link {
  readonly id: string;
  readonly label: string;
  /** One direction, as reached by large messages (about 80 % of the data sheet's rate). */
  readonly bandwidth: BytesPerSec;
  readonly latency: Seconds;
  readonly source: string;
}

export const links: readonly Link[] = [
  {
    id: 'nvlink4',
    label: 'NVLink 4 (H100, H200)',
    bandwidth: 360e9,
    latency: 5e-6,
    source: '900 GB/s both directions (H100 white paper) × ½ × 0.8',
  },
  {
    id: 'nvlink5',
    label: 'NVLink 5 (B200)',
    bandwidth: 720e9,
    latency: 5e-6,
    source: '1,800 GB/s both directions (Blackwell brief) × ½ × 0.8',
  },
  {
    id: 'pcie5',
    label: 'PCIe 5.0 ×16',
    bandwidth: 51e9,
    latency: 10e-6,
    source: '64 GB/s per direction × 0.8',
  },
  {
    id: 'rdma-400',
    label: 'RDMA, 400 Gbit/s',
    bandwidth: 43e9,
    latency: 15e-6,
    source: 'Mooncake transfer engine: 87 GB/s on 4 × 200 Gbit/s (FAST’25) = 0.87 of the line rate',
  },
  {
    id: 'rdma-100',
    label: 'RDMA, 100 Gbit/s',
    bandwidth: 10.9e9,
    latency: 15e-6,
    source: 'the same share of a 100 Gbit/s line',
  },
];

export const findLink = (id: string): Link | undefined => links.find((link) => link.id === id);

/** What the GPUs of one tensor-parallel group talk over: NVLink where the card has it, PCIe where not. */
export const groupLink = (gpu: Gpu): { readonly bandwidth: BytesPerSec; readonly latency: Seconds } =>
  gpu.nvlink === undefined
    ? { bandwidth: gpu.pcie * 0.5 * 0.8, latency: 10e-6 }
    : { bandwidth: gpu.nvlink * 0.5 * 0.8, latency: 5e-6 };
