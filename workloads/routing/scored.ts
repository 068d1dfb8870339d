import type { Random } from '../run/random.ts';
import { CandidateLists } from './candidates.ts';
import type { Router, RouterContext, ScoreSheet, Telemetry, VisibleRequest } from './router.ts';

/** Requests on an instance, those sent since the snapshot included. */
export const outstanding = (telemetry: Telemetry, i: number): number =>
  (telemetry.waiting[i] ?? 0) + (telemetry.running[i] ?? 0) + (telemetry.sentRequests[i] ?? 0);

/** The best total; among equals each is as likely (reservoir sampling with the router's own stream). */
export function bestAtRandom(sheet: ScoreSheet, candidates: Int32Array, random: Random): number {
  let chosen = candidates[0] ?? 0;
  let top = Number.NEGATIVE_INFINITY;
  let equals = 0;
  for (let k = 0; k < candidates.length; k++) {
    const i = candidates[k] ?? 0;
    const total = sheet.total[i] ?? Number.NEGATIVE_INFINITY;
    if (total > top) {
      top = total;
      chosen = i;
      equals = 1;
    } else if (total === top && random.integer(1, ++equals) === 1) chosen = i;
  }
  return chosen;
}

/** The best total; among equals the first one from the `start`-th candidate on, round the ring. */
export function firstBest(sheet: ScoreSheet, candidates: Int32Array, start: number): number {
  const n = candidates.length;
  let chosen = candidates[start % n] ?? 0;
  for (let k = 1; k < n; k++) {
    const i = candidates[(start + k) % n] ?? 0;
    if ((sheet.total[i] ?? 0) > (sheet.total[chosen] ?? 0)) chosen = i;
  }
  return chosen;
}

/** Sets the terms of one candidate; its total is their sum. */
export function put(sheet: ScoreSheet, i: number, ...terms: readonly number[]): void {
  let total = 0;
  for (let t = 0; t < terms.length; t++) {
    const value = terms[t] ?? 0;
    total += value;
    sheet.set(i, t, value);
  }
  sheet.candidate[i] = 1;
  sheet.total[i] = total;
}

/**
 * A policy that only says where prompts go. Decoding stays, or goes to the decode instance with the fewest requests, one at random among
 * equals, where the prompt was computed by a prefill pool.
 */
export function promptRouter(
  { cluster, random }: RouterContext,
  prefill: (
    request: VisibleRequest,
    telemetry: Telemetry,
    sheet: ScoreSheet,
    candidates: Int32Array,
  ) => number,
): Router {
  const lists = new CandidateLists(cluster);
  return {
    prefill: (request, telemetry, sheet) => prefill(request, telemetry, sheet, lists.prompts),
    decode(_request, telemetry, sheet) {
      const { decoders } = lists;
      for (const i of decoders) put(sheet, i, -outstanding(telemetry, i));
      return bestAtRandom(sheet, decoders, random);
    },
  };
}
