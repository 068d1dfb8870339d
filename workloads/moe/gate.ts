import type { GateSpec } from '../run/moeSpec.ts';
import type { Random } from '../run/random.ts';

/** Popularity of each expert in one layer: weights that sum to 1. */
export function popularity(gate: GateSpec, experts: number, random: Random): Float64Array {
  const weights = new Float64Array(experts);
  if (gate.kind === 'histogram') {
    for (let e = 0; e < experts; e++) weights[e] = gate.loads[e] ?? 0;
  } else {
    const order = Int32Array.from({ length: experts }, (_, e) => e);
    random.shuffle(order);
    for (let r = 0; r < experts; r++) weights[order[r] ?? 0] = Math.exp(-gate.skew * Math.log(r + 1));
  }
  let sum = 0;
  for (const weight of weights) sum += weight;
  if (!(sum > 0)) throw new RangeError('gate: all loads are 0');
  for (let e = 0; e < experts; e++) weights[e] = (weights[e] ?? 0) / sum;
  return weights;
}

/** Walker's alias table: one draw in constant time. */
class AliasTable {
  private readonly values: Int32Array;
  private readonly accept: Float64Array;
  private readonly alias: Int32Array;

  /** Draws from `values` with the weights of the same index. */
  constructor(values: Int32Array, weights: Float64Array) {
    const n = values.length;
    this.values = values;
    this.accept = new Float64Array(n).fill(1);
    this.alias = Int32Array.from({ length: n }, (_, i) => i);
    let sum = 0;
    for (const weight of weights) sum += weight;
    const scaled = Float64Array.from(weights, (w) => (w * n) / sum);
    const small: number[] = [];
    const large: number[] = [];
    scaled.forEach((w, i) => {
      (w < 1 ? small : large).push(i);
    });
    while (small.length > 0 && large.length > 0) {
      const s = small.pop() ?? 0;
      const l = large[large.length - 1] ?? 0;
      this.accept[s] = scaled[s] ?? 0;
      this.alias[s] = l;
      scaled[l] = (scaled[l] ?? 0) - (1 - (scaled[s] ?? 0));
      if ((scaled[l] ?? 0) < 1) {
        large.pop();
        small.push(l);
      }
    }
  }

  draw(random: Random): number {
    const at = random.integer(0, this.values.length - 1);
    const i = random.uniform() < (this.accept[at] ?? 1) ? at : (this.alias[at] ?? 0);
    return this.values[i] ?? 0;
  }
}

/** From which experts a token may pick; undefined: from all. */
export type Allowed = (token: number) => number | undefined;

/**
 * The picks of tokens 0 .. tokens − 1: k different experts each, drawn one after the other without replacement with the
 * weights of what is left (the law of a softmax gate with Gumbel noise). `picks[token × k + i]`.
 *
 * With `subsets`, token t picks inside subset `subsetOf(t)` only. A subset must hold at least k experts.
 */
export function drawPicks(
  weights: Float64Array,
  k: number,
  tokens: number,
  random: Random,
  subsets?: { readonly experts: readonly Int32Array[]; readonly of: (token: number) => number },
): Int32Array {
  const all = subsets?.experts ?? [Int32Array.from(weights, (_, e) => e)];
  const tables = all.map(
    (own) =>
      new AliasTable(
        own,
        Float64Array.from(own, (e) => weights[e] ?? 0),
      ),
  );
  const picks = new Int32Array(tokens * k);
  for (let t = 0; t < tokens; t++) {
    const subset = subsets?.of(t) ?? 0;
    const table = tables[subset];
    if (table === undefined)
      throw new RangeError(`gate: token ${t} picks in subset ${subset} of ${all.length}`);
    const from = t * k;
    for (let i = 0; i < k; i++) {
      let pick = -1;
      // A draw that was picked before is drawn again: that is what renormalising over the rest means.
      for (let tries = 0; tries < 64 && pick < 0; tries++) {
        const drawn = table.draw(random);
        if (!picked(picks, from, i, drawn)) pick = drawn;
      }
      if (pick < 0) pick = scan(all[subset] ?? new Int32Array(0), weights, picks, from, i, random);
      picks[from + i] = pick;
    }
  }
  return picks;
}

function picked(picks: Int32Array, from: number, count: number, expert: number): boolean {
  for (let j = 0; j < count; j++) if (picks[from + j] === expert) return true;
  return false;
}

/** The same law by walking over what is left: where a few experts have nearly all the weight. */
function scan(
  experts: Int32Array,
  weights: Float64Array,
  picks: Int32Array,
  from: number,
  count: number,
  random: Random,
): number {
  let left = 0;
  for (const e of experts) if (!picked(picks, from, count, e)) left += weights[e] ?? 0;
  let at = random.uniform() * left;
  let last = -1;
  for (const e of experts) {
    if (picked(picks, from, count, e)) continue;
    last = e;
    at -= weights[e] ?? 0;
    if (at < 0) break;
  }
  if (last < 0) throw new RangeError(`gate: fewer than ${count + 1} experts to pick from`);
  return last;
}

/**
 * Node-limited routing of DeepSeek-V3 (technical report, §2.1.2): a token's affinity to each expert is a sigmoid of its
 * logit; the islands with the highest sums of their best k ÷ m affinities are kept, m of them, and the k best experts there.
 * Logits are log(popularity) + Gumbel noise, so that without the limit the picks follow the law of `drawPicks`.
 */
export function drawLimitedPicks(
  weights: Float64Array,
  islandOf: Int32Array,
  islands: number,
  most: number,
  k: number,
  tokens: number,
  random: Random,
): Int32Array {
  const experts = weights.length;
  const base = Float64Array.from(weights, (w) => Math.log(w * experts));
  const logit = new Float64Array(experts);
  const best = Math.max(1, Math.floor(k / most));
  const tops = new Float64Array(islands * best);
  const sums = new Float64Array(islands);
  const kept = new Uint8Array(islands);
  const picks = new Int32Array(tokens * k);
  for (let t = 0; t < tokens; t++) {
    tops.fill(0);
    for (let e = 0; e < experts; e++) {
      const x = (base[e] ?? 0) - Math.log(-Math.log(1 - random.uniform()));
      logit[e] = x;
      let value = 1 / (1 + Math.exp(-x));
      const at = (islandOf[e] ?? 0) * best;
      for (let j = 0; j < best; j++) {
        const held = tops[at + j] ?? 0;
        if (value > held) {
          tops[at + j] = value;
          value = held;
        }
      }
    }
    for (let i = 0; i < islands; i++) {
      let sum = 0;
      for (let j = 0; j < best; j++) sum += tops[i * best + j] ?? 0;
      sums[i] = sum;
    }
    kept.fill(0);
    for (let m = 0; m < most && m < islands; m++) {
      let top = -1;
      for (let i = 0; i < islands; i++)
        if (kept[i] === 0 && (top < 0 || (sums[i] ?? 0) > (sums[top] ?? 0))) top = i;
      if (top >= 0) kept[top] = 1;
    }
    for (let i = 0; i < k; i++) {
      let top = -1;
      for (let e = 0; e < experts; e++) {
        if (kept[islandOf[e] ?? 0] === 0 || picked(picks, t * k, i, e)) continue;
        if (top < 0 || (logit[e] ?? 0) > (logit[top] ?? 0)) top = e;
      }
      if (top < 0) throw new RangeError(`gate: ${most} islands hold fewer than ${k} experts`);
      picks[t * k + i] = top;
    }
  }
  return picks;
}
