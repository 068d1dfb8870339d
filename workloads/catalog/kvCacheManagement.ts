import type { EvictionPolicy } from '../run/kvSpec.ts';
import { servingTarget } from './servingBase.ts';
import { diskParameters, routingParameter, tierParameters, tierPolicy, tiersOf } from './tierParameters.ts';

/** What the cache does is to be seen, not what a router does to it. */
const stickySessions = { ...routingParameter, default: 'session_hash' };

const tiered = ['optimized', 'host_disk'] as const;

/** The variants that differ in what HBM evicts first, and in nothing else. */
const evictions: Readonly<Record<string, EvictionPolicy>> = {
  lru: 'lru',
  fifo: 'fifo',
  lfu: 'lfu',
  length_aware: 'length-aware',
  belady: 'belady',
};

export const kvCacheManagement = servingTarget({
  id: 'ch15:kv_cache_management',
  chapter: 'ch15',
  title: 'KV cache: eviction and host tiers',
  summary:
    'What happens to a prefix when HBM is full: gone, by which rule, or down to host memory and disk and back?',
  lesson: `**Look at** the prefix hit rate, then at TTFT p95, then at fetch stalls and the host link: a block that comes back is worth its prefill and costs its transfer.

**What was claimed.** 3.5 times faster with “KV-cache management”. The pair compares projecting K and V of the whole prefix again at every step with projecting them once, for one attention layer whose tokens are all known in advance. That is what a KV cache *is*; nothing in it evicts, pages, promotes or keeps a latency budget. Here every variant caches within a request, and the question is what stays for the next one.

**What holds here** (Llama 3.1 8B on one H100, built-in hour at 3 ×, seed 0, 6,000 requests; 49,868 prompt blocks).

| HBM evicts | hit rate | TTFT mean | TTFT p95 | TPOT p95 | good |
|---|---|---|---|---|---|
| no cache | 0 | 44.8 s | 108 s | 74 ms | 1,086 |
| prefix end first (baseline) | 64.5 % | 150 ms | 598 ms | 33.8 ms | 5,861 |
| LRU by block | 64.5 % | 150 ms | 591 ms | 32.8 ms | 5,865 |
| FIFO | 59.4 % | 172 ms | 735 ms | 36.5 ms | 5,831 |
| LFU | 53.4 % | 226 ms | 1,045 ms | 47.0 ms | 5,647 |
| length-aware | 52.8 % | 225 ms | 958 ms | 47.1 ms | 5,650 |
| Belady, the bound | 67.1 % | 132 ms | 464 ms | 28.0 ms | 5,900 |
| **host tier (optimized)** | 67.1 % | 133 ms | 464 ms | 28.2 ms | 5,898 |
| host and disk | 67.1 % | 133 ms | 464 ms | 28.3 ms | 5,898 |

- The cache itself is worth 300 times the mean TTFT, since without it the instance is overloaded; the host tier a further 11 % of the mean and 22 % of p95. 212 prompts fetch 1,259 blocks, with 8 ms of stall each, and it reaches what only knowledge of the future reaches in HBM alone. The disk adds 7 hits to that, and nothing to any latency: everything that is asked for again fits above it.
- LFU and length-aware are the **worst** here. Sessions end: what was used often an hour ago is kept, and the conversation that goes on is dropped. Mooncake reports LRU ahead of both as well (arXiv 2407.00079, table 1).
- FIFO strands 955 blocks: it drops a shared head and keeps tails that nobody can use without it.
- On Mooncake’s conversation trace over 8 instances hit rates are 5.7 % with HBM alone, 7.8 % with host memory for each alone and 21.8 % with the same memory shared by the server (TTFT p95 2,507, 2,497 and 2,159 ms): capacity is not what was missing, company is. The disk brings 23.7 % and no better p95 (2,169 ms).

**Where “whatever is sooner” fails.** With a host link of 2 GB/s it compares a transfer with computing *alone*, computes every time, and TTFT p95 is the baseline’s 598 ms. *Always fetch* stalls 237 ms each time, and over several seeds p95 is up to 39 % lower, never higher by more than the noise: a fetch keeps nobody else waiting, a prefill does.

**What to try.** *Decode interference* 30 (copy kernels that take a third of the HBM bandwidth): decoding is slowed by 0.76 s in all. With a *decode budget* of 12 ms 72 fetches are throttled, 883 blocks computed instead, and p95 is back at 582 ms; 50 passes are over the budget all the same, since the batch grew while a fetch was under way.

**How it is modelled.** Each link carries one transfer at a time per direction. A block on its way down cannot be read; one that is there stays when it is fetched. Transfers down cost decoding nothing, and blocks of generated tokens are not kept.`,
  variants: [
    {
      id: 'baseline',
      label: 'HBM alone',
      description:
        'A full pool drops the end of the prefix used longest ago; who needs it computes it again.',
    },
    {
      id: 'optimized',
      label: 'Host tier',
      description: 'Evicted blocks go down to host memory and come back when that is sooner than computing.',
    },
    {
      id: 'host_disk',
      label: 'Host and disk',
      description: 'What host memory gives up goes on to the server’s drives.',
    },
    {
      id: 'no_reuse',
      label: 'No prefix cache',
      description: 'Every prompt is computed whole: what the cache is worth.',
    },
    {
      id: 'lru',
      label: 'LRU by block',
      description: 'Evicts the block used longest ago, the head of a prompt before its tail.',
    },
    { id: 'fifo', label: 'FIFO', description: 'Evicts the block that came in first.' },
    { id: 'lfu', label: 'LFU', description: 'Evicts the block used least often since it came in.' },
    {
      id: 'length_aware',
      label: 'Length-aware',
      description: 'LFU, among equals the block further back in its prompt.',
    },
    {
      id: 'belady',
      label: 'Belady (knows the future)',
      description: 'Evicts the block whose next use is farthest: no policy to run, a bound to measure by.',
    },
  ],
  parameters: [...tierParameters.map((p) => ({ ...p, variants: tiered })), ...diskParameters, stickySessions],
  defaults: { instances: 1, gpu: 'h100-sxm', speedup: 3 },
  parts(variant, values, base) {
    const { cluster } = base;
    const kvOf = () => {
      if (variant === 'no_reuse') return { ...cluster.kv, prefix_reuse: false };
      const eviction = evictions[variant];
      if (eviction !== undefined) return { ...cluster.kv, eviction };
      if (variant === 'optimized') return { ...cluster.kv, tiers: tiersOf(values, ['host']) };
      if (variant === 'host_disk') return { ...cluster.kv, tiers: tiersOf(values, ['host', 'disk']) };
      return cluster.kv;
    };
    return { ...base, cluster: { ...cluster, kv: kvOf() }, policy: tierPolicy(values) };
  },
});
