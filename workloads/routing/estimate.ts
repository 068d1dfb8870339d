import type { ClusterView, Telemetry, VisibleRequest } from './router.ts';

/** Estimates of what a request would meet on an instance, from telemetry and profiles alone. Nanoseconds. */

/** SLOs that normalise scores; where none is given, a second to the first token and 50 ms per token. */
export const sloTtftNs = (cluster: ClusterView): number => (cluster.slo.ttft_ms ?? 1000) * 1e6;
export const sloTpotNs = (cluster: ClusterView): number => (cluster.slo.tpot_ms ?? 50) * 1e6;

/** Prompt tokens per second: measured where there is a measurement, profiled before. */
export function prefillRate(cluster: ClusterView, telemetry: Telemetry, i: number): number {
  const measured = telemetry.prefillRate[i] ?? Number.NaN;
  return Number.isNaN(measured) ? (cluster.profiledPrefillRate[i] ?? 1) : measured;
}

/** Until the prompts that are there already, and those sent since the snapshot, are computed. */
export function waitNs(cluster: ClusterView, telemetry: Telemetry, i: number): number {
  const tokens = (telemetry.pendingPrefill[i] ?? 0) + (telemetry.sentPromptTokens[i] ?? 0);
  return (tokens / prefillRate(cluster, telemetry, i)) * 1e9;
}

/** To compute what the prefix cache lacks; one token at least. */
export function ownPrefillNs(
  cluster: ClusterView,
  telemetry: Telemetry,
  request: VisibleRequest,
  i: number,
): number {
  const tokens = Math.max(1, request.promptTokens - (request.cachedTokens[i] ?? 0));
  return (tokens / prefillRate(cluster, telemetry, i)) * 1e9;
}

/** A decode pass once one more sequence with this context has joined. */
export function decodePassNs(
  cluster: ClusterView,
  telemetry: Telemetry,
  i: number,
  moreSequences: number,
  moreContext: number,
): number {
  const sequences = (telemetry.decoding[i] ?? 0) + moreSequences;
  const context = (telemetry.decodeContext[i] ?? 0) + moreContext;
  return (
    (cluster.profiledDecodeNs[i] ?? 0) +
    (cluster.profiledPerSequenceNs[i] ?? 0) * Math.max(0, sequences - 1) +
    (cluster.profiledPerContextNs[i] ?? 0) * context
  );
}

/** Moving a context over an idle link. */
export const transferNs = (cluster: ClusterView, contextTokens: number): number =>
  cluster.linkLatencyNs + ((contextTokens * cluster.kvBytesPerToken) / cluster.linkBytesPerSec) * 1e9;

/** 0 while the KV pool has room, growing to 1 as `tokens` more would fill it, beyond 1 where they do not fit. */
export function kvPressure(cluster: ClusterView, telemetry: Telemetry, i: number, tokens: number): number {
  const total = telemetry.kvTotal[i] ?? 1;
  // A server that doesn't say what it holds shows no pressure.
  if (Number.isNaN(total)) return 0;
  const used = ((telemetry.kvUsed[i] ?? 0) + tokens / cluster.blockTokens) / total;
  return Math.max(0, (used - 0.8) / 0.2);
}
