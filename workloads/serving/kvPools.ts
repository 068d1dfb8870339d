import { nextUses } from '../cache/replayTrace.ts';
import type { EvictionPolicy } from '../run/kvSpec.ts';
import type { Traffic } from '../traffic/traffic.ts';
import type { Blocks } from '../units.ts';
import { KvPool } from './kvPool.ts';
import { RankedPool } from './rankedPool.ts';

/** Makes the KV pools of a cluster, by its eviction policy. Without prefix reuse nothing is ever evicted: all are alike. */
export class KvPools {
  private readonly eviction: EvictionPolicy;
  private readonly nextUse: Float64Array;

  constructor(kv: { readonly eviction?: EvictionPolicy | undefined }, reuse: boolean, traffic: Traffic) {
    this.eviction = reuse ? (kv.eviction ?? 'lru-prefix') : 'lru-prefix';
    this.nextUse = this.eviction === 'belady' ? nextUses(traffic) : new Float64Array(0);
  }

  make(blocks: Blocks): KvPool {
    return this.eviction === 'lru-prefix'
      ? new KvPool(blocks)
      : new RankedPool(blocks, this.eviction, this.nextUse);
  }
}
