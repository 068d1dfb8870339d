import { describe, expect, test } from 'vitest';
import { runSpecOn } from '../engines/sim/tinyRun.ts';
import type { ParameterValue } from '../run/parameter.ts';
import { generate } from '../traffic/generate.ts';
import { kvCacheManagement } from './kvCacheManagement.ts';
import { kvCacheNvlinkPool } from './kvCacheNvlinkPool.ts';
import type { Target } from './target.ts';

const specOf = (target: Target, variant: string, parameters: Record<string, ParameterValue> = {}) =>
  target.spec({
    variant,
    engine: 'sim',
    parameters: { requests: 800, ...parameters },
    seed: 0,
    iterations: 1,
  });

function run(target: Target, variant: string, parameters: Record<string, ParameterValue> = {}) {
  const spec = specOf(target, variant, parameters);
  if (spec.traffic.kind === 'trace') throw new Error('no file was given');
  return runSpecOn(spec, generate(spec.traffic, 0)).summary;
}

/** HBM for a tenth of the working set, so that a few hundred requests fill it. */
const tight = { kv_memory: 'given', kv_blocks: 6000 };

describe('ch15:kv_cache_management', () => {
  test('every variant serves the same requests, and none finds more in HBM than the one that knows the future', () => {
    const hits = new Map<string, number>();
    for (const { id } of kvCacheManagement.variants) {
      const { requests, kv, traffic } = run(kvCacheManagement, id, tight);
      expect(requests.completed, id).toBe(800);
      expect(kv.block_refs, id).toBe(traffic.block_refs);
      hits.set(id, kv.hits);
    }
    expect(hits.get('no_reuse')).toBe(0);
    for (const id of ['baseline', 'lru', 'fifo', 'lfu', 'length_aware']) {
      expect(hits.get(id), id).toBeGreaterThan(0);
      expect(hits.get(id), id).toBeLessThan(hits.get('belady') ?? 0);
    }
    expect(hits.get('optimized')).toBeGreaterThan(hits.get('baseline') ?? 0);
  });

  test('tiers have the sizes and rates that were asked for, times the GPUs of an instance', () => {
    const spec = specOf(kvCacheManagement, 'host_disk', { host_gb: 10, disk_gb: 100, tensor_parallel: 2 });
    const [host, disk] = spec.cluster.kv.tiers?.levels ?? [];
    // 16 tokens × 131,072 bytes.
    expect(host).toMatchObject({ blocks: Math.floor(20e9 / 2097152), read_gb_per_s: 102, link: 'instance' });
    expect(disk).toMatchObject({ blocks: Math.floor(200e9 / 2097152), link: 'node' });
    expect(disk?.read_gb_per_s).toBeCloseTo(41.6, 9);
    expect(spec.cluster.kv.tiers?.node_instances).toBe(4);
    expect(specOf(kvCacheManagement, 'baseline').cluster.kv.tiers).toBeUndefined();
  });
});

describe('ch15:kv_cache_nvlink_pool', () => {
  test('the pool serves what would have come from the host, and lending it takes it from the instances', () => {
    const parameters = { ...tight, instances: 3, peer_gb: 4 };
    const tiersOf = (variant: string) => run(kvCacheNvlinkPool, variant, parameters).kv.tiers;
    const host = tiersOf('baseline');
    const pool = tiersOf('optimized');
    const hits = (tiers: typeof pool, tier: string) => tiers?.levels.find((l) => l.tier === tier)?.hits ?? 0;
    expect(hits(host, 'host')).toBeGreaterThan(0);
    expect(hits(pool, 'peer')).toBeGreaterThan(0);
    expect(hits(pool, 'host')).toBeLessThan(hits(host, 'host'));
    expect(pool?.stall_mean_ms).toBeLessThan(host?.stall_mean_ms ?? 0);
    const own = specOf(kvCacheNvlinkPool, 'optimized', parameters).cluster.instances[0]?.kv_blocks ?? 0;
    const lent = specOf(kvCacheNvlinkPool, 'lent', parameters).cluster;
    expect(lent.instances[0]?.kv_blocks).toBe(own - (lent.kv.tiers?.levels[0]?.blocks ?? 0));
    expect(() => specOf(kvCacheNvlinkPool, 'lent', { ...parameters, peer_gb: 40 })).toThrow('expected less');
  });
});
