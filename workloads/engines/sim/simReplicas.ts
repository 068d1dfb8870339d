import { kvBlocksOf } from '../../cluster/blocks.ts';
import { kvBytesOf } from '../../cluster/links.ts';
import type { MadeReplicas, MakeRequest } from '../../cluster/replicaMaker.ts';
import { costModelOf } from '../../cost/costModels.ts';
import { HostedCost } from '../../cost/hostedCost.ts';
import { ScaledCost } from '../../cost/scaledCost.ts';
import { modelled } from '../../run/instanceSpec.ts';
import { BlockTables, type KvCarrier } from '../../serving/blockTables.ts';
import type { Executor } from '../../serving/executor.ts';
import type { KvPool } from '../../serving/kvPool.ts';
import { KvPools } from '../../serving/kvPools.ts';
import { continuousInstance } from '../../serving/makeInstance.ts';
import { Tiers } from '../../serving/tiers/tiers.ts';
import type { Blocks } from '../../units.ts';
import { couple, isCoupled } from './coupled.ts';
import { techniqueOf } from './techniques.ts';

/**
 * The instances of a spec as the simulator runs them: each with a cost model, advanced when its state is read. With
 * executors, their passes take real time instead.
 */
export function simReplicas(
  { state, replicate, events, itlMs, mixedAsk }: MakeRequest,
  executorOf?: () => Executor,
  carrier?: KvCarrier,
): MadeReplicas {
  const { spec, requests, reuse, blockTokens, scheduling } = state;
  const { cluster, timeline = [] } = spec;
  const pools = new KvPools(cluster.kv, reuse, state.traffic);
  const tiers = tiersOf({ state });
  const slowed = new Set(timeline.flatMap((e) => (e.event === 'slow' ? [e.instance] : [])));
  const poolOf = (kvBlocks: Blocks): KvPool => {
    const pool = pools.make(kvBlocks);
    if (executorOf !== undefined) pool.tables = new BlockTables(kvBlocks);
    return pool;
  };
  const instances = cluster.instances.map(modelled).map((instance, i) => {
    const kvBlocks = kvBlocksOf(spec, instance.kv_blocks, blockTokens);
    const technique = techniqueOf(spec, instance, replicate, requests.count);
    const gpu = costModelOf(instance.cost, instance.model ?? cluster.model, cluster.kv.quantisation, {
      seed: spec.seed,
      replicate,
    });
    const { host } = cluster.scheduler;
    const cost = host === undefined ? gpu : new HostedCost(gpu, host);
    const settings = {
      index: i,
      name: instance.name,
      role: instance.pool,
      cost: slowed.has(i) ? new ScaledCost(cost) : cost,
      kvBlocks,
      pool: poolOf(kvBlocks),
      blockTokens,
      prefixReuse: reuse,
      maxBatchedTokens: cluster.scheduler.max_batched_tokens,
      maxSequences: cluster.scheduler.max_sequences,
      asksWhereToDecode:
        instance.pool === 'prefill' || (mixedAsk && instance.pool === 'mixed' && !isCoupled(instance)),
      plansAhead: cluster.scheduler.plans_ahead ?? false,
      keepsPreempted: cluster.kv.keeps_preempted ?? false,
      withoutGaps: spec.detail.token_gaps === 'none',
      ...(executorOf === undefined ? {} : { executor: executorOf() }),
      ...(technique === undefined ? {} : { technique }),
      ...(tiers === undefined ? {} : { tiers: tiers.join(cost, cluster.scheduler.max_batched_tokens) }),
    };
    return (
      scheduling?.instance(settings, events, itlMs) ?? continuousInstance(settings, requests, events, itlMs)
    );
  });
  const couplings = couple(spec, instances);
  tiers?.clocks(instances).forEach((together, i) => {
    const instance = instances[i];
    if (instance !== undefined) instance.nodeClock = together;
  });
  return {
    replicas: instances,
    instances,
    couplings,
    ...(tiers === undefined ? {} : { tiers }),
    ...(carrier === undefined ? {} : { carrier }),
  };
}

/** Memories below HBM; undefined where evicted blocks are gone. */
function tiersOf({ state }: Pick<MakeRequest, 'state'>): Tiers | undefined {
  const { spec, reuse, blockTokens, recorder } = state;
  const { cluster } = spec;
  const { tiers } = cluster.kv;
  if (tiers === undefined || !reuse) return undefined;
  return new Tiers(
    tiers,
    cluster.instances.length,
    blockTokens,
    kvBytesOf(cluster),
    (blocks) => kvBlocksOf(spec, blocks, blockTokens),
    recorder,
  );
}
