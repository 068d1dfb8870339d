import type { OverloadSummary, WindowSummary } from '../../../workloads/run/summary.ts';

/** The parts of a serving run's summary that a comparison reads; a rebuilt one may lack any of them. */
export interface SummaryHead {
  readonly traffic?: { readonly requests?: number };
  readonly metrics?: Readonly<Record<string, { readonly p50?: number; readonly p95?: number } | undefined>>;
  readonly requests?: Readonly<Record<string, number | undefined>>;
  readonly goodput_rps?: number;
  readonly quality?: { readonly adequate_share?: number };
  readonly window?: WindowSummary;
  readonly overload?: OverloadSummary;
  readonly fleet?: { readonly good_per_gpu_hour?: number };
}
