import { InputError } from '../run/inputError.ts';
import { modelled } from '../run/instanceSpec.ts';
import type { Parameter } from '../run/parameter.ts';
import { servingTarget } from './servingBase.ts';
import {
  blocksIn,
  peerParameters,
  routingParameter,
  tierParameters,
  tierPolicy,
  tiersOf,
} from './tierParameters.ts';
import { number } from './values.ts';

export const kvCacheNvlinkPool = servingTarget({
  id: 'ch15:kv_cache_nvlink_pool',
  chapter: 'ch15',
  title: 'KV cache: NVLink peer pool',
  summary:
    'Evicted prefixes in the HBM of neighbouring GPUs, over NVLink, before they go to host memory over PCIe.',
  lesson: `**Look at** fetch stalls, then at TTFT, then at who fetched what from where: a tier six times as fast matters only as far as anybody waits for it.

**What was claimed.** That a pool over NVLink spares the trip to host memory. In the original pair neither the pool nor the host is ever reached: the run has 64 steps, the local limit is 64 tokens, and both variants do the same work; no figure was recorded.

**What holds here** (Llama 3.1 8B on four H100 behind round robin, built-in hour at 12 ×, seed 0, 6,000 requests; blocks are written through, so that every instance finds what another computed).

| tiers | hit rate | stall per fetch | TTFT mean | TTFT p95 | good |
|---|---|---|---|---|---|
| HBM alone | 46.1 % | – | 209 ms | 1,015 ms | 5,767 |
| host (baseline) | 66.9 % | 6.1 ms | 124 ms | 385 ms | 5,917 |
| **spare peers, then host** (optimized) | 67.0 % | 0.94 ms | 122 ms | 385 ms | 5,917 |
| spare peers alone | 66.9 % | 0.94 ms | 122 ms | 385 ms | 5,917 |
| lent by the instances, then host | 57.5 % | 1.25 ms | 663 ms | 3,475 ms | 5,305 |

- NVLink fetches 6.5 times as fast as PCIe, and **TTFT p95 is the same**: 5 ms less in front of a prefill and a queue of a hundred. What helps is that the tier is *shared*; which one it is hardly shows.
- Lending is the wrong trade here: 40 GB of an H100 are most of its KV memory, and TTFT p95 is three times that of having no tier at all. 10 GB lent: 561 ms, still behind the host tier that costs no HBM.
- The spare GPUs of *optimized* serve nobody. Four more instances would be the other use for them.
- Written back only when evicted, the pool is nearly idle (139 hits): HBM rarely evicts what somebody asks for again, and what another instance holds in HBM is out of reach.

**Where NVLink pays.** Where the way to the host is slow: at 5 GB/s (memory that is not pinned, as in the original) the host tier has a stall of 124 ms, 4,428 blocks are computed instead and TTFT p95 is 570 ms; with the pool above it, it stays 385. And with long prompts: on Mooncake’s conversation trace over 8 instances (12,000 tokens per prompt) the mean falls from 574 to 556 ms and p95 from 2,414 to 2,329; much of that is capacity (27.9 against 25.4 % hits).

**What to try.** *Router*: on that trace Dynamo’s, which sees the tiers, brings the host variant’s p95 from 2,414 to 1,601 ms, and Mooncake’s, which fetches prefixes from its neighbours’ HBM, to 1,558, both at the same hit rate: where a request goes matters more than where its prefix lies. *Decode interference* 10: NVLink at full speed takes nearly all of the HBM bandwidth from decoding, PCIe a sixth. *Peer memory* 10 for *lent*. *Prefix in a lower tier: always compute*, to see what the tiers are worth.

**How it is modelled.** Each GPU has one NVLink port per direction, which carries one transfer at a time; spare memory has ports of its own, lent memory those of its owner. A donor’s own decoding is not slowed by what is read from it.`,
  variants: [
    {
      id: 'baseline',
      label: 'Host tier',
      description: 'Evicted blocks go down over PCIe and come back over it.',
    },
    {
      id: 'optimized',
      label: 'Peer pool, then host',
      description:
        'Evicted blocks go to the HBM of spare GPUs over NVLink first; what these give up goes on to host memory.',
    },
    {
      id: 'lent',
      label: 'Lent pool, then host',
      description:
        'The same pool, but out of the serving instances’ own HBM: each has that much less for itself.',
    },
    { id: 'peer_only', label: 'Peer pool alone', description: 'Spare GPUs and nothing below them.' },
    { id: 'hbm_only', label: 'HBM alone', description: 'No tier below: what is evicted is computed again.' },
  ],
  parameters: [
    ...tierParameters.map((p): Parameter => {
      const variants = ['baseline', 'optimized', 'lent', ...(p.id.startsWith('host') ? [] : ['peer_only'])];
      // Only what goes down at once is there for the other instances.
      return p.kind === 'choice' && p.id === 'tier_write'
        ? { ...p, variants, default: 'through' }
        : { ...p, variants };
    }),
    ...peerParameters,
    routingParameter,
  ],
  defaults: { instances: 4, gpu: 'h100-sxm' },
  parts(variant, values, given) {
    const base = { ...given, policy: tierPolicy(values) };
    const { cluster } = base;
    if (variant === 'hbm_only') return base;
    if (variant === 'baseline') {
      return { ...base, cluster: { ...cluster, kv: { ...cluster.kv, tiers: tiersOf(values, ['host']) } } };
    }
    const tiers = tiersOf(values, variant === 'peer_only' ? ['peer'] : ['peer', 'host']);
    if (variant !== 'lent') return { ...base, cluster: { ...cluster, kv: { ...cluster.kv, tiers } } };
    const lent = blocksIn(values, number(values, 'peer_gb'));
    const instances = cluster.instances.map(modelled).map((instance) => ({
      ...instance,
      kv_blocks: instance.kv_blocks - lent,
    }));
    const left = instances[0]?.kv_blocks ?? 0;
    if (left < 1) {
      throw new InputError(
        `parameter peer_gb: ${number(values, 'peer_gb')} GB per GPU are ${lent} blocks, the instance has ${left + lent}, expected less`,
      );
    }
    return {
      ...base,
      cluster: {
        ...cluster,
        instances,
        kv: {
          ...cluster.kv,
          tiers: {
            ...tiers,
            levels: tiers.levels.map((level) =>
              level.kind === 'peer' ? { ...level, donors: 'instances' as const } : level,
            ),
          },
        },
      },
    };
  },
});
