// How long a scripted server takes. Prefill = overhead + (prompt − cached) · perToken, then one token each `itlMs`, both
// times a factor that grows with the number of running requests. (The form of llm-d-inference-sim's latency simulation.)

export interface CostModel {
  readonly overheadMs: number;
  readonly prefillMsPerToken: number;
  readonly itlMs: number;
  /** Factor at `maxConcurrent` running requests; 1 at a single one, linear in between. */
  readonly loadFactor: number;
  /** Requests that run at once; the others wait, first come first served. */
  readonly maxConcurrent: number;
  /** Requests that may wait before one more is answered 429; Infinity: no limit. */
  readonly maxWaiting: number;
  /** Time that replaces the prefill of a request whose KV blocks come from another server. */
  readonly transferMs: number;
  /** Replaces the prefill time where given: the n-th request's, in order of arrival. For queueing formulas. */
  readonly serviceMs?: (request: number) => number;
}

export const quickCost: CostModel = {
  overheadMs: 0,
  prefillMsPerToken: 0,
  itlMs: 0.2,
  loadFactor: 1,
  maxConcurrent: 256,
  maxWaiting: Number.POSITIVE_INFINITY,
  transferMs: 0,
};

/** @param running requests that run, this one included */
export const factorOf = (cost: CostModel, running: number): number =>
  cost.maxConcurrent <= 1 ? 1 : 1 + ((cost.loadFactor - 1) * (running - 1)) / (cost.maxConcurrent - 1);
