import type { TierSummary } from '../run/admissionSummary.ts';

/** The columns of a table by tier, as dotted metric ids, in the order in which tables show them. */
export const tierColumns = [
  'arrived',
  'rejected',
  'good_share',
  'goodput_rps',
  'ttft_ms.p95',
  'queue_ms.p95',
] as const;
export type TierColumn = (typeof tierColumns)[number];

/** One tier's figure; undefined where it has none (no objectives, nobody served). */
export function tierFigure(tier: TierSummary, column: TierColumn): number | undefined {
  switch (column) {
    case 'ttft_ms.p95':
      return tier.ttft_ms?.p95;
    case 'queue_ms.p95':
      return tier.queue_ms?.p95;
    case 'arrived':
    case 'rejected':
    case 'good_share':
    case 'goodput_rps':
      return tier[column];
    default: {
      const never: never = column;
      return never;
    }
  }
}

/** `TTFT ≤ 200 ms, TPOT ≤ 30 ms`; empty without objectives. */
export const tierObjectives = ({ slo }: TierSummary): string =>
  [
    ...(slo.ttft_ms === undefined ? [] : [`TTFT ≤ ${slo.ttft_ms} ms`]),
    ...(slo.tpot_ms === undefined ? [] : [`TPOT ≤ ${slo.tpot_ms} ms`]),
    ...(slo.e2e_ms === undefined ? [] : [`E2E ≤ ${slo.e2e_ms} ms`]),
  ].join(', ');
