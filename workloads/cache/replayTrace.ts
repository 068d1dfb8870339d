import { InputError } from '../run/inputError.ts';
import type { Traffic } from '../traffic/traffic.ts';
import { type BlockCache, ListCache, RankedCache } from './blockCache.ts';
import { PrefixCache } from './prefixCache.ts';

/** Replays a trace's block references through caches alone: no timing, requests in the order of the traffic. */
export const cachePolicies = [
  { id: 'lru', meaning: 'flat stream of blocks; evicts the least recently used' },
  {
    id: 'lru-prefix',
    meaning: 'whole requests; touches tail to head, so the cached set stays prefix-closed',
  },
  { id: 'lfu', meaning: 'flat stream; evicts the fewest uses since insertion, then the least recently used' },
  { id: 'fifo', meaning: 'flat stream; evicts what was inserted first' },
  {
    id: 'length-aware',
    meaning:
      'flat stream; evicts the fewest uses, then the later block of a prompt, then the least recently used',
  },
  { id: 'belady', meaning: 'flat stream; evicts the farthest next use: knows the future, for study' },
] as const;
export type CachePolicyId = (typeof cachePolicies)[number]['id'];

/** How requests are spread over instances. */
export type CacheRouting =
  | { readonly kind: 'rr' }
  | { readonly kind: 'least-tokens' }
  | { readonly kind: 'longest-prefix' }
  /** The longest prefix where it is more than this share of the request's blocks, else least tokens. */
  | { readonly kind: 'threshold'; readonly share: number };

export interface ReplayOptions {
  readonly policy: CachePolicyId;
  /** Blocks per instance; Infinity for no limit. */
  readonly capacity: number;
  /** Present: each of them has an `lru-prefix` cache of that capacity, and the result has `per_instance`. */
  readonly instances?: number;
  readonly routing?: CacheRouting;
  /** Blocks of the request at hand are not evicted before it ends, as in serving; flat policies only. */
  readonly pinned?: boolean;
}

export interface TraceReplay {
  readonly block_refs: number;
  /** References to a block that was cached when it was looked up. */
  readonly hits: number;
  readonly hit_rate: number;
  /** Hits of a request's leading blocks only, the ones that save computation. */
  readonly prefix_hits: number;
  /** Σ min(blockTokens × prefix hits, prompt length). */
  readonly prefix_hit_tokens: number;
  readonly evictions: number;
  readonly per_instance?: readonly { readonly requests: number; readonly hits: number }[];
}

/** `rr`, `least-tokens`, `longest-prefix`, `threshold:0.5` */
export function parseRouting(text: string): CacheRouting {
  if (text === 'rr' || text === 'least-tokens' || text === 'longest-prefix') return { kind: text };
  const share = /^threshold:(\d+(?:\.\d+)?|\.\d+)$/.exec(text)?.[1];
  if (share !== undefined && Number(share) <= 1) return { kind: 'threshold', share: Number(share) };
  throw new InputError(
    `routing "${text}", expected rr, least-tokens, longest-prefix or threshold:X with X from 0 to 1`,
  );
}

/** `inf` or a number of blocks. */
export function parseCapacity(text: string): number {
  if (text === 'inf') return Number.POSITIVE_INFINITY;
  const blocks = /^\d{1,15}$/.test(text) ? Number(text) : 0;
  if (blocks >= 1) return blocks;
  throw new InputError(`capacity "${text}", expected a number of blocks from 1, or inf`);
}

export function parsePolicy(text: string): CachePolicyId {
  const found = cachePolicies.find((policy) => policy.id === text);
  if (found !== undefined) return found.id;
  throw new InputError(
    `cache policy "${text}", expected one of ${cachePolicies.map((p) => p.id).join(', ')}`,
  );
}

export function replayTrace(traffic: Traffic, options: ReplayOptions): TraceReplay {
  const { policy, capacity, instances } = options;
  if (traffic.blockTokens === 0) {
    throw new InputError(
      `${traffic.name} knows no prefixes, expected a trace with block ids (Mooncake format)`,
    );
  }
  if (!(capacity >= 1 && (Number.isInteger(capacity) || capacity === Number.POSITIVE_INFINITY))) {
    throw new InputError(`capacity ${capacity}, expected a number of blocks from 1, or inf`);
  }
  if (options.pinned === true && policy === 'lru-prefix') {
    throw new InputError(
      'cache policy lru-prefix, pinned: expected a flat policy; it looks at whole requests',
    );
  }
  if (instances === undefined) {
    if (policy !== 'lru-prefix') return replayFlat(traffic, policy, capacity, options.pinned ?? false);
    const { per_instance: _, ...alone } = replayInstances(traffic, capacity, 1, { kind: 'rr' });
    return alone;
  }
  if (!(Number.isInteger(instances) && instances >= 1 && instances * traffic.uniqueBlocks <= maxCells)) {
    const most = Math.max(1, Math.floor(maxCells / traffic.uniqueBlocks));
    throw new InputError(`instances ${instances}, expected an integer from 1 to ${most} for this trace`);
  }
  if (policy !== 'lru-prefix') {
    throw new InputError(
      `cache policy ${policy} with instances, expected lru-prefix: it is what each instance has`,
    );
  }
  return replayInstances(traffic, capacity, instances, options.routing ?? { kind: 'rr' });
}

/** Instances × blocks: 8 bytes each, so at most 1 GiB. */
const maxCells = 134_217_728;

function replayFlat(
  traffic: Traffic,
  policy: Exclude<CachePolicyId, 'lru-prefix'>,
  capacity: number,
  pinned: boolean,
): TraceReplay {
  const { blockIds, blockOffsets, promptTokens, blockTokens, uniqueBlocks } = traffic;
  const blocks = Math.min(capacity, uniqueBlocks);
  const cache = pinned ? pinnedCache(policy, traffic, blocks) : flatCache(policy, traffic, blocks);
  let hits = 0;
  let prefixHits = 0;
  let prefixTokens = 0;
  for (let r = 0; r < traffic.requests; r++) {
    const from = blockOffsets[r] ?? 0;
    const to = blockOffsets[r + 1] ?? 0;
    // Nothing is evicted before the first miss, so the leading hits met on the way are those of a look-up beforehand.
    let leading = 0;
    for (let ref = from; ref < to; ref++) {
      if (!cache.use(blockIds[ref] ?? 0, ref - from, ref)) continue;
      hits++;
      if (leading === ref - from) leading++;
    }
    prefixHits += leading;
    prefixTokens += Math.min(leading * blockTokens, promptTokens[r] ?? 0);
    cache.endRequest?.();
  }
  return result(blockIds.length, hits, prefixHits, prefixTokens, cache.evictions);
}

/** Throws InputError where a request has more blocks than the cache: all of them are in use at once. */
function pinnedCache(
  policy: Exclude<CachePolicyId, 'lru-prefix'>,
  traffic: Traffic,
  capacity: number,
): BlockCache {
  const { blockOffsets } = traffic;
  for (let r = 0; r < traffic.requests; r++) {
    const blocks = (blockOffsets[r + 1] ?? 0) - (blockOffsets[r] ?? 0);
    if (blocks <= capacity) continue;
    throw new InputError(
      `capacity ${capacity}, expected at least the ${blocks} blocks of request ${r}, which are in use at once`,
    );
  }
  const next = policy === 'belady' ? nextUses(traffic) : new Float64Array(0);
  return new RankedCache(traffic.uniqueBlocks, capacity, policy, next, true);
}

function flatCache(
  policy: Exclude<CachePolicyId, 'lru-prefix'>,
  traffic: Traffic,
  capacity: number,
): BlockCache {
  switch (policy) {
    case 'lru':
    case 'fifo':
      return new ListCache(traffic.uniqueBlocks, capacity, policy);
    case 'lfu':
    case 'length-aware':
      return new RankedCache(traffic.uniqueBlocks, capacity, policy, new Float64Array(0));
    case 'belady':
      return new RankedCache(traffic.uniqueBlocks, capacity, policy, nextUses(traffic));
    default: {
      const never: never = policy;
      return never;
    }
  }
}

/** For each reference, where its block is used next; Infinity for never. */
export function nextUses(traffic: Traffic): Float64Array {
  const { blockIds } = traffic;
  const next = new Float64Array(blockIds.length);
  const seen = new Float64Array(traffic.uniqueBlocks).fill(Number.POSITIVE_INFINITY);
  for (let ref = blockIds.length - 1; ref >= 0; ref--) {
    const id = blockIds[ref] ?? 0;
    next[ref] = seen[id] ?? 0;
    seen[id] = ref;
  }
  return next;
}

function replayInstances(
  traffic: Traffic,
  capacity: number,
  instances: number,
  routing: CacheRouting,
): TraceReplay {
  const { blockIds, blockOffsets, promptTokens, blockTokens } = traffic;
  const caches = Array.from({ length: instances }, () => new PrefixCache(traffic.uniqueBlocks, capacity));
  const perInstance = caches.map(() => ({ requests: 0, hits: 0 }));
  const assigned = new Float64Array(instances);
  let hits = 0;
  let prefixHits = 0;
  let prefixTokens = 0;
  for (let r = 0; r < traffic.requests; r++) {
    const from = blockOffsets[r] ?? 0;
    const to = blockOffsets[r + 1] ?? 0;
    const chosen = choose(routing, r, caches, assigned, blockIds, from, to);
    const cache = caches[chosen];
    const counts = perInstance[chosen];
    if (cache === undefined || counts === undefined) continue;
    const leading = cache.prefix(blockIds, from, to);
    const found = leading + cache.cached(blockIds, from + leading, to);
    cache.store(blockIds, from, to);
    hits += found;
    prefixHits += leading;
    prefixTokens += Math.min(leading * blockTokens, promptTokens[r] ?? 0);
    counts.requests++;
    counts.hits += found;
    assigned[chosen] = (assigned[chosen] ?? 0) + (promptTokens[r] ?? 0);
  }
  const evictions = caches.reduce((sum, cache) => sum + cache.evictions, 0);
  return { ...result(blockIds.length, hits, prefixHits, prefixTokens, evictions), per_instance: perInstance };
}

function choose(
  routing: CacheRouting,
  request: number,
  caches: readonly PrefixCache[],
  assigned: Float64Array,
  ids: Int32Array,
  from: number,
  to: number,
): number {
  switch (routing.kind) {
    case 'rr':
      return request % caches.length;
    case 'least-tokens':
      return leastTokens(assigned);
    case 'longest-prefix':
    case 'threshold': {
      let best = 0;
      let longest = -1;
      caches.forEach((cache, i) => {
        const length = cache.prefix(ids, from, to);
        const wins = length > longest || (length === longest && (assigned[i] ?? 0) < (assigned[best] ?? 0));
        if (wins) {
          best = i;
          longest = length;
        }
      });
      if (routing.kind === 'threshold' && !(longest > routing.share * (to - from)))
        return leastTokens(assigned);
      return best;
    }
    default: {
      const never: never = routing;
      return never;
    }
  }
}

/** The instance with the fewest prompt tokens so far, the lowest index among equals. */
function leastTokens(assigned: Float64Array): number {
  let best = 0;
  for (let i = 1; i < assigned.length; i++) if ((assigned[i] ?? 0) < (assigned[best] ?? 0)) best = i;
  return best;
}

const result = (
  refs: number,
  hits: number,
  prefixHits: number,
  prefixTokens: number,
  evictions: number,
): TraceReplay => ({
  block_refs: refs,
  hits,
  hit_rate: refs === 0 ? 0 : hits / refs,
  prefix_hits: prefixHits,
  prefix_hit_tokens: prefixTokens,
  evictions,
});
