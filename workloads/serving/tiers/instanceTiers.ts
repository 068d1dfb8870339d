import type { CostModel } from '../../cost/costModel.ts';
import { IterationShape } from '../../cost/costModel.ts';
import type { Blocks, Ns, Tokens } from '../../units.ts';
import type { NodeTiers, Segment } from './nodeTiers.ts';
import { earliest, occupy, type Port } from './port.ts';
import { Promotions } from './promotions.ts';

/** A fetch is never slowed to less than this share of its link: it would hold the link, and its request, for ever. */
const slowest = 0.05;

/** What an instance says of a request that it is about to admit. */
export interface Wanted {
  readonly request: number;
  readonly ids: Int32Array;
  /** The blocks [from, to) that the pool does not give it: `done` tokens are in those before. */
  readonly from: number;
  readonly to: number;
  readonly done: Tokens;
  readonly need: Tokens;
  /** Its first scheduling: hits count. */
  readonly first: boolean;
}

/** What an instance's pass is like now: fetches take their measure from it. */
export interface PassNow {
  readonly decoding: number;
  /** The last pass with decoding sequences; NaN before the first. */
  readonly decodePassNs: Ns;
}

/** The tiers below HBM as one instance uses them. */
export class InstanceTiers {
  readonly node: NodeTiers;
  readonly member: number;
  /** Ids that the pool evicted since it was last asked, in order. */
  readonly evicted: number[] = [];
  readonly promotions = new Promotions();
  /** When what the last `fetch` asked for is in place. */
  readyNs: Ns = 0;

  fetches = 0;
  stallNs: Ns = 0;
  /** Blocks found in a tier, and computed all the same. */
  passedOver: Blocks = 0;
  /** Fetches that were slowed for the sake of the decode budget. */
  throttled = 0;
  /** Passes with decoding sequences that a transfer made longer, and those of them that only so exceeded the budget. */
  slowedPasses = 0;
  slowedNs: Ns = 0;
  overBudget = 0;
  private readonly blockTokens: Tokens;
  private readonly cost: CostModel;
  private readonly maxBatchedTokens: Tokens;
  private readonly budgetNs: Ns;
  private readonly shape = new IterationShape();

  constructor(
    node: NodeTiers,
    member: number,
    blockTokens: Tokens,
    cost: CostModel,
    maxBatchedTokens: Tokens,
  ) {
    this.node = node;
    this.member = member;
    this.blockTokens = blockTokens;
    this.cost = cost;
    this.maxBatchedTokens = maxBatchedTokens;
    this.budgetNs = (node.spec.decode_latency_budget_ms ?? Number.POSITIVE_INFINITY) * 1e6;
  }

  /** The pool has evicted at t. */
  handDown(t: Ns): void {
    const { evicted, node } = this;
    if (evicted.length === 0) return;
    if (node.spec.write === 'back') node.giveDown(this.member, t, evicted.slice());
    evicted.length = 0;
  }

  /** The instance is gone at t: what comes up for it comes in vain, and memory of its own is lost. */
  crashed(t: Ns): void {
    this.evicted.length = 0;
    this.promotions.clear();
    this.node.crashed(this.member, t);
  }

  /** A request's blocks ids[from .. to) were computed at t. */
  computed(ids: Int32Array, from: number, to: number, t: Ns): void {
    if (this.node.spec.write === 'back' || to <= from) return;
    // Tail first, as they would be evicted: the head of a prompt stays longest.
    this.node.giveDown(this.member, t, Array.from(ids.subarray(from, to)).reverse());
  }

  /** Blocks ids[from .. to), up to the first that is nowhere, that could be fetched at t: from host or peers, and from disk. */
  below(
    ids: Int32Array,
    from: number,
    to: number,
    t: Ns,
    inPool: (id: number) => boolean,
  ): { readonly host: Blocks; readonly disk: Blocks } {
    let host = 0;
    let disk = 0;
    for (const { level, ids: found } of this.node.look(this.member, ids, from, to, t, inPool)) {
      if (this.node.levels[level]?.kind === 'disk') disk += found.length;
      else host += found.length;
    }
    return { host, disk };
  }

  /**
   * Starts to fetch what the policy wants fetched at t; how many blocks that is. They are in place at `readyNs`, each
   * transfer over its own link, one after the other where links are shared.
   */
  fetch(wanted: Wanted, t: Ns, now: PassNow, inPool: (id: number) => boolean): Blocks {
    const { node } = this;
    const found = node.look(this.member, wanted.ids, wanted.from, wanted.to, t, inPool);
    if (found.length === 0) return 0;
    const chosen = this.choose(found, wanted, t, now);
    const size = (segments: readonly Segment[]) => segments.reduce((n, s) => n + s.ids.length, 0);
    this.passedOver += size(found.slice(chosen));
    const taken = found.slice(0, chosen);
    if (taken.length === 0) return 0;
    this.readyNs = t;
    let tokens = wanted.done;
    let bytes = 0;
    let slowed = false;
    for (const segment of taken) {
      const before = tokens;
      tokens = Math.min(tokens + segment.ids.length * this.blockTokens, wanted.need - 1);
      const level = node.levels[segment.level];
      if (level === undefined) continue;
      const share = this.shareAllowed(level.decodeShare, now);
      if (share < level.decodeShare) slowed = true;
      const size = segment.ids.length * node.blockBytes;
      const ns = Math.round(level.readNs(size) * (share > 0 ? level.decodeShare / share : 1));
      const start = occupy(level.readPath(this.member, segment.store), t, ns);
      const end = start + ns;
      const store = level.stores[segment.store];
      for (const id of segment.ids) store?.read(id, end);
      this.promotions.add(start, end, share);
      this.readyNs = Math.max(this.readyNs, end);
      bytes += size;
      level.promotions += segment.ids.length;
      level.promotedBytes += size;
      if (wanted.first) {
        level.hits += segment.ids.length;
        level.hitTokens += tokens - before;
      }
      const from = level.kind === 'peer' ? node.first + segment.store : -1;
      node.events.tierEvent(
        start,
        'promote',
        level.kind,
        wanted.request,
        from,
        node.first + this.member,
        segment.ids.length,
        size,
        ns,
      );
    }
    const blocks = size(taken);
    this.fetches++;
    if (slowed) this.throttled++;
    this.stallNs += this.readyNs - t;
    node.events.tierEvent(
      t,
      'fetch',
      '',
      wanted.request,
      -1,
      node.first + this.member,
      blocks,
      bytes,
      this.readyNs - t,
    );
    return blocks;
  }

  /** How many of the segments, from the first on, are to be fetched. */
  private choose(found: readonly Segment[], wanted: Wanted, t: Ns, now: PassNow): number {
    const { load } = this.node.spec;
    if (load === 'recompute') return 0;
    if (load === 'fetch') return found.length;
    let best = 0;
    let bestNs = this.promptNs(wanted.done, wanted.need);
    let done = wanted.done;
    let ready = t;
    const free = new Map<Port, Ns>();
    found.forEach((segment, k) => {
      done = Math.min(done + segment.ids.length * this.blockTokens, wanted.need - 1);
      const level = this.node.levels[segment.level];
      if (level !== undefined) {
        const share = this.shareAllowed(level.decodeShare, now);
        const ns = level.readNs(segment.ids.length * this.node.blockBytes);
        const path = level.readPath(this.member, segment.store);
        let start = earliest(path, t);
        for (const port of path) start = Math.max(start, free.get(port) ?? 0);
        const end = start + Math.round(ns * (share > 0 ? level.decodeShare / share : 1));
        for (const port of path) free.set(port, end);
        ready = Math.max(ready, end);
      }
      const total = ready - t + this.promptNs(done, wanted.need);
      if (total < bestNs) {
        bestNs = total;
        best = k + 1;
      }
    });
    return best;
  }

  /** Time to compute the tokens [done, need) of a prompt alone in the batch, chunk by chunk. */
  private promptNs(done: Tokens, need: Tokens): Ns {
    const { shape } = this;
    let ns = 0;
    for (let at = done; at < need; ) {
      const take = Math.min(need - at, this.maxBatchedTokens);
      shape.prefillTokens = take;
      shape.prefillPairs = take * at + (take * (take + 1)) / 2;
      shape.prefillContextTokens = at + take;
      shape.prefillSequences = 1;
      shape.prefillEnds = at + take === need ? 1 : 0;
      shape.decodeContextTokens = 0;
      ns += this.cost.iterationNs(shape);
      at += take;
    }
    return ns;
  }

  /** The share of the decode speed that a fetch may take: less than it could where a pass would exceed the budget. */
  private shareAllowed(share: number, { decoding, decodePassNs }: PassNow): number {
    if (decoding === 0 || !(decodePassNs / (1 - share) > this.budgetNs)) return share;
    return Math.min(share, Math.max(slowest * share, 1 - decodePassNs / this.budgetNs));
  }

  /** How long a pass with decoding sequences takes that starts at `start` and would take `ns` alone. */
  passNs(start: Ns, ns: Ns): Ns {
    if (this.promotions.none) return ns;
    const stretched = this.promotions.stretched(start, ns);
    if (stretched > ns) {
      this.slowedPasses++;
      this.slowedNs += stretched - ns;
      if (stretched > this.budgetNs && ns <= this.budgetNs) this.overBudget++;
    }
    return stretched;
  }
}
