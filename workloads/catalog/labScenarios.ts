import type { PoolRole } from '../run/spec.ts';

/**
 * The clusters of the published lab: fixed rates per GPU, dollars per hour. Its telemetry gives each GPU 40 GB for KV;
 * transfer times between its tiers are 0.5 to 0.8 ms per request, here a link of 200 GB/s and 0.5 ms.
 */
export interface LabGpu {
  readonly name: string;
  readonly role: PoolRole;
  readonly prefill: number;
  readonly decode: number;
  readonly hourly: number;
}

const gpu = (name: string, role: PoolRole, prefill: number, decode: number, hourly: number): LabGpu => ({
  name,
  role,
  prefill,
  decode,
  hourly,
});

export const labScenarios: Readonly<Record<'flagship_vs_mid' | 'mig_slices', readonly LabGpu[]>> = {
  flagship_vs_mid: [
    gpu('pf0', 'prefill', 10000, 2400, 7),
    gpu('pf1', 'prefill', 9000, 2200, 6),
    gpu('dc_big', 'decode', 5000, 5200, 7),
    gpu('dc_mid0', 'decode', 3800, 3400, 3),
    gpu('dc_mid1', 'decode', 3800, 3400, 3),
    gpu('dc_mid2', 'decode', 3800, 3400, 3),
  ],
  mig_slices: [
    gpu('pf0', 'prefill', 9000, 2000, 5.5),
    gpu('dc0', 'decode', 4000, 2200, 1.8),
    gpu('dc1', 'decode', 4000, 2200, 1.8),
    gpu('dc2', 'decode', 4000, 2600, 2.2),
    gpu('dc3', 'decode', 4000, 2600, 2.2),
  ],
};

export type LabScenario = keyof typeof labScenarios;

export const isLabScenario = (id: string): id is LabScenario => Object.hasOwn(labScenarios, id);
