import type { AdmissionSpec } from '../../run/admissionSpec.ts';
import type { SloSpec } from '../../run/spec.ts';
import type { Tier } from './admission.ts';

/** One tier with the run's objectives where the spec names none. */
export function tiersOf(spec: AdmissionSpec, slo: SloSpec): readonly Tier[] {
  if (spec.tiers === undefined) return [{ name: 'all', slo, reserved: 0 }];
  return spec.tiers.map((tier) => ({
    name: tier.name,
    slo: {
      ...slo,
      ...(tier.ttft_ms === undefined ? {} : { ttft_ms: tier.ttft_ms }),
      ...(tier.tpot_ms === undefined ? {} : { tpot_ms: tier.tpot_ms }),
    },
    reserved: tier.reserved ?? 0,
  }));
}
