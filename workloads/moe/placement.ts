import type { MoeSpec } from '../run/moeSpec.ts';

/** Where the experts of one layer live. */
export interface Placement {
  readonly ranks: number;
  readonly experts: number;
  /** Replicas of expert e: `replicas[start[e] .. start[e + 1])` are ranks. */
  readonly start: Int32Array;
  readonly replicas: Int32Array;
  /** Physical experts on each rank. */
  readonly perRank: Int32Array;
}

export const rankOf = (placement: Placement, expert: number): number =>
  placement.replicas[placement.start[expert] ?? 0] ?? 0;

function placed(ranks: number, replicasOf: readonly (readonly number[])[]): Placement {
  const start = new Int32Array(replicasOf.length + 1);
  const perRank = new Int32Array(ranks);
  replicasOf.forEach((own, e) => {
    start[e + 1] = (start[e] ?? 0) + own.length;
    for (const rank of own) perRank[rank] = (perRank[rank] ?? 0) + 1;
  });
  return { ranks, experts: replicasOf.length, start, replicas: Int32Array.from(replicasOf.flat()), perRank };
}

/**
 * Places experts on ranks. `loads` are what was recorded of each expert earlier, not what will come.
 *
 *   linear        8 experts on 4 ranks: 0 0 1 1 2 2 3 3     neighbours together; the last rank may hold fewer
 *   round_robin                         0 1 2 3 0 1 2 3
 *   balanced      each redundant slot replicates the expert whose replicas carry most; then, heaviest first, each goes to the
 *                 rank with the least load that has a free slot (EPLB's global policy, deepseek-ai/EPLB, MIT)
 *   island_replicas  the hottest experts have a replica on every island, as many as there are redundant slots for; the rest
 *                 as in balanced
 */
export function place(
  kind: MoeSpec['placement'],
  loads: ArrayLike<number>,
  ranks: number,
  island: number,
  redundant: number,
): Placement {
  const experts = loads.length;
  if (kind === 'linear' || kind === 'round_robin') {
    const each = Math.ceil(experts / ranks);
    return placed(
      ranks,
      Array.from({ length: experts }, (_, e) => [kind === 'linear' ? Math.floor(e / each) : e % ranks]),
    );
  }
  const islands = Math.max(1, Math.floor(ranks / island));
  const order = Array.from({ length: experts }, (_, e) => e).sort(
    (a, b) => (loads[b] ?? 0) - (loads[a] ?? 0) || a - b,
  );
  const copies = new Int32Array(experts).fill(1);
  const everywhere = new Uint8Array(experts);
  if (kind === 'island_replicas' && islands > 1) {
    for (const e of order.slice(0, Math.floor(redundant / (islands - 1)))) {
      copies[e] = islands;
      everywhere[e] = 1;
    }
  } else {
    for (let i = 0; i < redundant; i++) {
      let top = -1;
      for (let e = 0; e < experts; e++) {
        if ((copies[e] ?? 1) >= ranks) continue;
        if (top < 0 || (loads[e] ?? 0) * (copies[top] ?? 1) > (loads[top] ?? 0) * (copies[e] ?? 1)) top = e;
      }
      if (top >= 0) copies[top] = (copies[top] ?? 1) + 1;
    }
  }
  let physical = 0;
  for (const n of copies) physical += n;
  const slots = Math.ceil(physical / ranks);
  const items: { readonly expert: number; readonly load: number; readonly island: number }[] = [];
  for (const e of order) {
    const n = copies[e] ?? 1;
    for (let i = 0; i < n; i++)
      items.push({ expert: e, load: (loads[e] ?? 0) / n, island: everywhere[e] === 1 ? i : -1 });
  }
  // Those that are bound to an island first, then by load; ties by expert, so that the order is one.
  items.sort(
    (a, b) =>
      Number(b.island >= 0) - Number(a.island >= 0) ||
      b.load - a.load ||
      a.expert - b.expert ||
      a.island - b.island,
  );
  const used = new Int32Array(ranks);
  const carried = new Float64Array(ranks);
  const replicasOf: number[][] = Array.from({ length: experts }, () => []);
  for (const { expert, load, island: bound } of items) {
    const own = replicasOf[expert] ?? [];
    let best = -1;
    // A second replica on the same rank would carry nothing; it is taken only where no other slot is left.
    for (const again of [false, true]) {
      for (let r = 0; r < ranks && (best < 0 || !again); r++) {
        if ((used[r] ?? 0) >= slots || own.includes(r) !== again) continue;
        if (bound >= 0 && Math.floor(r / island) !== bound) continue;
        if (best < 0 || (carried[r] ?? 0) < (carried[best] ?? 0)) best = r;
      }
      if (best >= 0) break;
    }
    if (best < 0) continue;
    used[best] = (used[best] ?? 0) + 1;
    carried[best] = (carried[best] ?? 0) + load;
    own.push(best);
  }
  return placed(ranks, replicasOf);
}
