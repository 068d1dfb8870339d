import type { MoeSpec } from '../run/moeSpec.ts';
import { type Placement, rankOf } from './placement.ts';

/** What the ranks do in one sparse layer for one batch. A copy is one token's activations sent once. */
export interface DispatchPlan {
  readonly tokens: number;
  /** (token, expert) pairs computed and dropped: together tokens × k. */
  readonly routed: number;
  readonly dropped: number;
  /** Pairs by expert, after drops. */
  readonly expertLoad: Int32Array;
  /** Pairs that each rank computes, and how many of its experts have any. */
  readonly rankPairs: Int32Array;
  readonly rankActive: Int32Array;
  /** Copies that each rank sends and receives over its island's link and over the network. */
  readonly islandSent: Int32Array;
  readonly islandReceived: Int32Array;
  readonly networkSent: Int32Array;
  readonly networkReceived: Int32Array;
  /** Routed pairs whose expert computes on another island than the token's. */
  readonly offIsland: number;
}

/** Most pairs that an expert takes; no bound without a factor. */
export const capacityOf = (factor: number | undefined, tokens: number, k: number, experts: number): number =>
  factor === undefined ? Number.POSITIVE_INFINITY : Math.ceil((factor * tokens * k) / experts);

/**
 * Sends tokens 0 .. tokens − 1 to their experts. Token t lives on rank t mod ranks. Pairs beyond an expert's capacity are
 * dropped in order of tokens (GShard, Switch). A token goes to each rank once, however many of its experts are there:
 *
 *   direct        home ──► every distinct rank                         island link or network, as they lie
 *   hierarchical  home ──network──► its twin on each other island ──island link──► the ranks there
 */
export function dispatchPlan(
  picks: Int32Array,
  k: number,
  tokens: number,
  placement: Placement,
  spec: Pick<MoeSpec, 'island' | 'routing' | 'exchange' | 'capacity_factor'>,
): DispatchPlan {
  const { ranks, experts, start, replicas } = placement;
  const { island } = spec;
  const capacity = capacityOf(spec.capacity_factor, tokens, k, experts);
  const expertLoad = new Int32Array(experts);
  const rankPairs = new Int32Array(ranks);
  const rankActive = new Int32Array(ranks);
  const islandSent = new Int32Array(ranks);
  const islandReceived = new Int32Array(ranks);
  const networkSent = new Int32Array(ranks);
  const networkReceived = new Int32Array(ranks);
  const activeReplica = new Uint8Array(replicas.length);
  const targets = new Int32Array(k);
  const near = spec.routing === 'nearest_replica';
  let dropped = 0;
  let offIsland = 0;
  for (let t = 0; t < tokens; t++) {
    const home = t % ranks;
    const homeIsland = Math.floor(home / island);
    let count = 0;
    for (let i = 0; i < k; i++) {
      const e = picks[t * k + i] ?? 0;
      if ((expertLoad[e] ?? 0) >= capacity) {
        dropped++;
        continue;
      }
      const from = start[e] ?? 0;
      const n = (start[e + 1] ?? 0) - from;
      // Replicas take turns by the expert's own count, so that they share evenly whatever the tokens' order is.
      let replica = from + ((expertLoad[e] ?? 0) % n);
      if (near && n > 1) replica = nearest(replicas, from, n, home, island, expertLoad[e] ?? 0);
      expertLoad[e] = (expertLoad[e] ?? 0) + 1;
      const rank = replicas[replica] ?? 0;
      rankPairs[rank] = (rankPairs[rank] ?? 0) + 1;
      if (activeReplica[replica] === 0) {
        activeReplica[replica] = 1;
        rankActive[rank] = (rankActive[rank] ?? 0) + 1;
      }
      if (Math.floor(rank / island) !== homeIsland) offIsland++;
      let seen = false;
      for (let j = 0; j < count; j++) if (targets[j] === rank) seen = true;
      if (!seen) targets[count++] = rank;
    }
    for (let j = 0; j < count; j++) {
      const rank = targets[j] ?? 0;
      if (rank === home) continue;
      const there = Math.floor(rank / island);
      if (there === homeIsland) {
        islandSent[home] = (islandSent[home] ?? 0) + 1;
        islandReceived[rank] = (islandReceived[rank] ?? 0) + 1;
        continue;
      }
      if (spec.exchange !== 'hierarchical') {
        networkSent[home] = (networkSent[home] ?? 0) + 1;
        networkReceived[rank] = (networkReceived[rank] ?? 0) + 1;
        continue;
      }
      const twin = Math.min(there * island + (home % island), ranks - 1);
      let first = true;
      for (let before = 0; before < j; before++)
        if (Math.floor((targets[before] ?? 0) / island) === there) first = false;
      if (first) {
        networkSent[home] = (networkSent[home] ?? 0) + 1;
        networkReceived[twin] = (networkReceived[twin] ?? 0) + 1;
      }
      if (rank !== twin) {
        islandSent[twin] = (islandSent[twin] ?? 0) + 1;
        islandReceived[rank] = (islandReceived[rank] ?? 0) + 1;
      }
    }
  }
  return {
    tokens,
    routed: tokens * k - dropped,
    dropped,
    expertLoad,
    rankPairs,
    rankActive,
    islandSent,
    islandReceived,
    networkSent,
    networkReceived,
    offIsland,
  };
}

/** The replica on the token's own rank, else one on its island, else any; those that are alike take turns. */
function nearest(
  replicas: Int32Array,
  from: number,
  n: number,
  home: number,
  island: number,
  turn: number,
): number {
  let local = 0;
  for (let i = from; i < from + n; i++) {
    if (replicas[i] === home) return i;
    if (Math.floor((replicas[i] ?? 0) / island) === Math.floor(home / island)) local++;
  }
  if (local === 0) return from + (turn % n);
  let skip = turn % local;
  for (let i = from; i < from + n; i++) {
    if (Math.floor((replicas[i] ?? 0) / island) !== Math.floor(home / island)) continue;
    if (skip === 0) return i;
    skip--;
  }
  return from;
}

/** Experts of each island by where their first replica lives. */
export function expertsByIsland(placement: Placement, island: number): Int32Array[] {
  const islands = Math.max(1, Math.ceil(placement.ranks / island));
  const own: number[][] = Array.from({ length: islands }, () => []);
  for (let e = 0; e < placement.experts; e++) own[Math.floor(rankOf(placement, e) / island)]?.push(e);
  return own.map((list) => Int32Array.from(list));
}
