import type { MoeSpec } from '../run/moeSpec.ts';
import { stream } from '../run/random.ts';
import { type DispatchPlan, dispatchPlan, expertsByIsland } from './dispatchPlan.ts';
import { drawLimitedPicks, drawPicks, popularity } from './gate.ts';
import { type Placement, place, rankOf } from './placement.ts';

/** What one routed expert costs a GPU: the grouped GEMM is bounded by its arithmetic or by the weights it reads. */
export interface ExpertRates {
  /** Arithmetic of one (token, expert) pair. */
  readonly nsPerPair: number;
  /** Weights of one expert, read where at least one token picked it. */
  readonly nsPerExpert: number;
  /** Arithmetic of the rows that pad one expert's tokens to whole tiles; absent: none. */
  readonly paddingNs?: number | undefined;
}

/** One sparse layer at a token count: means over the layers drawn. */
export interface ExpertLayer {
  /** Grouped GEMM of the slowest rank, ns, and the mean over ranks. */
  expertNs: number;
  meanExpertNs: number;
  /** Copies that the busiest rank sends or receives over either link, tokens evenly spread over ranks. */
  islandCopies: number;
  networkCopies: number;
  /** Copies that one token causes its own rank to send. */
  islandPerToken: number;
  networkPerToken: number;
  /** Pairs of the busiest expert and rank ÷ the mean. */
  expertImbalance: number;
  rankImbalance: number;
  /** Shares of all pairs. */
  dropped: number;
  offIsland: number;
  /** Different experts with a token. */
  active: number;
  /** Experts with a token on the rank that has the most of them. */
  busiestActive: number;
}

const fields = [
  'expertNs',
  'meanExpertNs',
  'islandCopies',
  'networkCopies',
  'islandPerToken',
  'networkPerToken',
  'expertImbalance',
  'rankImbalance',
  'dropped',
  'offIsland',
  'active',
  'busiestActive',
] as const satisfies readonly (keyof ExpertLayer)[];

const layersDrawn = 4;
/** Tokens whose picks placement is told of: recorded before, by a stream of their own. */
const recordedTokens = 4096;
/** Beyond this a layer's loads grow with the tokens: the last two points go on as a line. */
const mostTokens = 4096;
const mostLimitedTokens = 1024;

/** 1, 2, 3, 4, 6, 8, 12, 16 … */
function tokenGrid(most: number): number[] {
  const grid = [1];
  for (let step = 2; step <= most; step *= 2) {
    grid.push(step);
    if (step * 1.5 <= most) grid.push(step * 1.5);
  }
  return grid;
}

/** Routes and places as the spec says, for `layersDrawn` layers, and reads between the points of a grid. */
export class ExpertLayers {
  readonly tokens: readonly number[];
  private readonly columns: Readonly<Record<keyof ExpertLayer, Float64Array>>;
  /** Most physical experts on a rank, and all of them: what memory must hold. */
  readonly mostPerRank: number;
  readonly physical: number;

  constructor(spec: MoeSpec, experts: number, k: number, rates: ExpertRates) {
    const limited = spec.routing === 'limited';
    const most = limited ? mostLimitedTokens : mostTokens;
    this.tokens = tokenGrid(most);
    const n = this.tokens.length;
    const columns = Object.fromEntries(fields.map((f) => [f, new Float64Array(n)]));
    let mostPerRank = 0;
    let physical = 0;
    for (let layer = 0; layer < layersDrawn; layer++) {
      const weights = popularity(spec.gate, experts, stream(spec.seed, `moe popularity ${layer}`));
      const placement = placementOf(spec, weights, k, layer);
      for (const on of placement.perRank) mostPerRank = Math.max(mostPerRank, on);
      physical = Math.max(physical, placement.replicas.length);
      const picks = picksOf(spec, weights, placement, k, most, `moe gate ${layer}`);
      this.tokens.forEach((tokens, i) => {
        const at = measure(dispatchPlan(picks, k, tokens, placement, spec), k, rates);
        for (const f of fields) {
          const column = columns[f];
          if (column !== undefined) column[i] = (column[i] ?? 0) + at[f] / layersDrawn;
        }
      });
    }
    // Every field is in `fields`: `satisfies` holds the list against the interface.
    this.columns = columns as Record<keyof ExpertLayer, Float64Array>;
    this.mostPerRank = mostPerRank;
    this.physical = physical;
  }

  /** Fills `layer` for a pass of this many tokens. */
  at(tokens: number, layer: ExpertLayer): void {
    const grid = this.tokens;
    let low = 0;
    let high = grid.length - 2;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((grid[middle] ?? 0) <= tokens) low = middle;
      else high = middle - 1;
    }
    const from = grid[low] ?? 1;
    const weight = (tokens - from) / ((grid[low + 1] ?? 2) - from);
    const inside = weight <= 1 ? Math.max(0, weight) : 1;
    const { columns } = this;
    for (const f of fields) {
      const column = columns[f];
      const a = column[low] ?? 0;
      // Shares and ratios hold beyond the grid; times and copies go on.
      const goesOn =
        f === 'expertNs' || f === 'meanExpertNs' || f === 'islandCopies' || f === 'networkCopies';
      layer[f] = a + ((column[low + 1] ?? 0) - a) * (goesOn ? Math.max(0, weight) : inside);
    }
  }
}

export const emptyLayer = (): ExpertLayer => ({
  expertNs: 0,
  meanExpertNs: 0,
  islandCopies: 0,
  networkCopies: 0,
  islandPerToken: 0,
  networkPerToken: 0,
  expertImbalance: 0,
  rankImbalance: 0,
  dropped: 0,
  offIsland: 0,
  active: 0,
  busiestActive: 0,
});

function placementOf(spec: MoeSpec, weights: Float64Array, k: number, layer: number): Placement {
  const loads = new Float64Array(weights.length);
  if (spec.placement !== 'linear' && spec.placement !== 'round_robin') {
    const seen = drawPicks(weights, k, recordedTokens, stream(spec.seed, `moe recorded ${layer}`));
    for (const e of seen) loads[e] = (loads[e] ?? 0) + 1;
  }
  return place(spec.placement, loads, spec.ranks, spec.island, spec.redundant);
}

function picksOf(
  spec: MoeSpec,
  weights: Float64Array,
  placement: Placement,
  k: number,
  tokens: number,
  name: string,
): Int32Array {
  const random = stream(spec.seed, name);
  const islands = Math.max(1, Math.ceil(spec.ranks / spec.island));
  if (spec.routing === 'limited') {
    const islandOf = Int32Array.from(weights, (_, e) => Math.floor(rankOf(placement, e) / spec.island));
    return drawLimitedPicks(weights, islandOf, islands, spec.islands_per_token ?? islands, k, tokens, random);
  }
  if (spec.routing !== 'home_island' || islands === 1) return drawPicks(weights, k, tokens, random);
  const own = expertsByIsland(placement, spec.island);
  return drawPicks(weights, k, tokens, random, {
    experts: own,
    of: (t) => {
      const home = Math.floor((t % spec.ranks) / spec.island);
      return t % 8 === 7 ? (home + 1) % islands : home;
    },
  });
}

function measure(plan: DispatchPlan, k: number, rates: ExpertRates): ExpertLayer {
  const ranks = plan.rankPairs.length;
  const out = emptyLayer();
  let islandSent = 0;
  let networkSent = 0;
  let busiestPairs = 0;
  for (let r = 0; r < ranks; r++) {
    const pairs = plan.rankPairs[r] ?? 0;
    const active = plan.rankActive[r] ?? 0;
    const ns = Math.max(
      pairs * rates.nsPerPair + active * (rates.paddingNs ?? 0),
      active * rates.nsPerExpert,
    );
    out.expertNs = Math.max(out.expertNs, ns);
    out.meanExpertNs += ns / ranks;
    busiestPairs = Math.max(busiestPairs, pairs);
    out.busiestActive = Math.max(out.busiestActive, active);
    islandSent += plan.islandSent[r] ?? 0;
    networkSent += plan.networkSent[r] ?? 0;
    out.islandCopies = Math.max(out.islandCopies, plan.islandSent[r] ?? 0, plan.islandReceived[r] ?? 0);
    out.networkCopies = Math.max(out.networkCopies, plan.networkSent[r] ?? 0, plan.networkReceived[r] ?? 0);
  }
  out.islandPerToken = islandSent / plan.tokens;
  out.networkPerToken = networkSent / plan.tokens;
  let busiest = 0;
  for (const load of plan.expertLoad) {
    busiest = Math.max(busiest, load);
    if (load > 0) out.active++;
  }
  if (plan.routed > 0) {
    out.expertImbalance = (busiest * plan.expertLoad.length) / plan.routed;
    out.rankImbalance = (busiestPairs * ranks) / plan.routed;
    out.offIsland = plan.offIsland / plan.routed;
  }
  out.dropped = plan.dropped / (plan.tokens * k);
  return out;
}

const known = new Map<string, ExpertLayers>();

/** The same layers for the same question: instances of a group, replicates and variants ask alike. */
export function expertLayers(spec: MoeSpec, experts: number, k: number, rates: ExpertRates): ExpertLayers {
  const { group: _group, ...rest } = spec;
  const key = JSON.stringify([rest, experts, k, rates]);
  const found = known.get(key);
  if (found !== undefined) return found;
  if (known.size >= 64) known.clear();
  const layers = new ExpertLayers(spec, experts, k, rates);
  known.set(key, layers);
  return layers;
}
