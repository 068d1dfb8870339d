import { costModelOf } from '../cost/costModels.ts';
import { HostedCost } from '../cost/hostedCost.ts';
import { ScaledCost } from '../cost/scaledCost.ts';
import { blockTokensOf, kvBlocksOf } from '../engines/sim/checkSpec.ts';
import { type Couplings, couple, isCoupled } from '../engines/sim/coupled.ts';
import { techniqueOf } from '../engines/sim/techniques.ts';
import type { Sketch } from '../metrics/sketch.ts';
import type { Recorder } from '../record/recorder.ts';
import { modelled } from '../run/instanceSpec.ts';
import type { RunSpec } from '../run/spec.ts';
import { Instance } from '../serving/instance.ts';
import type { InstanceEvents } from '../serving/instanceSettings.ts';
import { KvPools } from '../serving/kvPools.ts';
import type { RequestTable } from '../serving/requestTable.ts';
import { Scheduling } from '../serving/schedulers/schedulers.ts';
import { Tiers } from '../serving/tiers/tiers.ts';
import type { Traffic } from '../traffic/traffic.ts';
import type { Ns, Tokens } from '../units.ts';
import type { AdmissionDesk } from './admissionDesk.ts';
import { EventQueue } from './eventQueue.ts';
import { Fleet, hasFleet } from './fleet.ts';
import { kvBytesOf } from './links.ts';

/** What the parts of a replicate (dispatch, hand-overs, migrations) share: the requests, the instances and the future. */
export class ClusterState {
  readonly spec: RunSpec;
  readonly traffic: Traffic;
  readonly requests: RequestTable;
  readonly recorder: Recorder;
  readonly queue = new EventQueue();
  readonly instances: Instance[] = [];
  /** Expert groups and pipelines among the instances. */
  couplings: Couplings = { groups: [], lines: [] };
  readonly blockTokens: Tokens;
  /** Prefixes can be found again: the cluster keeps them, and the traffic names them. */
  readonly reuse: boolean;
  /** Undefined where everyone is let in and nothing is counted. */
  desk: AdmissionDesk | undefined = undefined;
  /** Undefined where evicted blocks are gone. */
  tiers: Tiers | undefined = undefined;
  /** Who serves; absent where that never changes. */
  readonly fleet: Fleet | undefined;

  /** What the spec's scheduler policy shares between instances; absent where it names none. */
  readonly scheduling?: Scheduling;

  constructor(spec: RunSpec, requests: RequestTable, recorder: Recorder, replicate = 0) {
    this.spec = spec;
    this.traffic = requests.traffic;
    this.requests = requests;
    this.recorder = recorder;
    this.blockTokens = blockTokensOf(spec, requests.traffic);
    this.reuse = spec.cluster.kv.prefix_reuse && requests.traffic.blockTokens > 0;
    this.fleet = hasFleet(spec) ? new Fleet(spec, recorder) : undefined;
    const { policy } = spec.cluster.scheduler;
    if (policy !== undefined) {
      this.scheduling = new Scheduling({
        policy,
        requests,
        seed: spec.seed,
        replicate,
        ...(spec.slo.ttft_ms === undefined ? {} : { ttftMs: spec.slo.ttft_ms }),
        kvBytesPerToken: kvBytesOf(spec.cluster),
      });
    }
  }

  /** Makes the instances of the spec. `mixedAsk`: mixed instances, too, ask where to decode. */
  build(mixedAsk: boolean, events: InstanceEvents, itlMs: Sketch, replicate: number): void {
    const { cluster, timeline = [] } = this.spec;
    const pools = new KvPools(cluster.kv, this.reuse, this.traffic);
    const tiers = this.makeTiers();
    const slowed = new Set(timeline.flatMap((e) => (e.event === 'slow' ? [e.instance] : [])));
    cluster.instances.map(modelled).forEach((instance, i) => {
      const kvBlocks = kvBlocksOf(this.spec, instance.kv_blocks, this.blockTokens);
      const technique = techniqueOf(this.spec, instance, replicate, this.requests.count);
      const gpu = costModelOf(instance.cost, instance.model ?? cluster.model, cluster.kv.quantisation, {
        seed: this.spec.seed,
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
        pool: pools.make(kvBlocks),
        blockTokens: this.blockTokens,
        prefixReuse: this.reuse,
        maxBatchedTokens: cluster.scheduler.max_batched_tokens,
        maxSequences: cluster.scheduler.max_sequences,
        asksWhereToDecode:
          instance.pool === 'prefill' || (mixedAsk && instance.pool === 'mixed' && !isCoupled(instance)),
        plansAhead: cluster.scheduler.plans_ahead ?? false,
        keepsPreempted: cluster.kv.keeps_preempted ?? false,
        withoutGaps: this.spec.detail.token_gaps === 'none',
        ...(technique === undefined ? {} : { technique }),
        ...(tiers === undefined ? {} : { tiers: tiers.join(cost, cluster.scheduler.max_batched_tokens) }),
      };
      this.instances.push(
        this.scheduling?.instance(settings, events, itlMs) ??
          new Instance(settings, this.requests, events, itlMs),
      );
    });
    this.couplings = couple(this.spec, this.instances);
    tiers?.clocks(this.instances).forEach((together, i) => {
      this.instance(i).nodeClock = together;
    });
    this.tiers = tiers;
  }

  private makeTiers(): Tiers | undefined {
    const { cluster } = this.spec;
    const { tiers } = cluster.kv;
    if (tiers === undefined || !this.reuse) return undefined;
    return new Tiers(
      tiers,
      cluster.instances.length,
      this.blockTokens,
      kvBytesOf(cluster),
      (blocks) => kvBlocksOf(this.spec, blocks, this.blockTokens),
      this.recorder,
    );
  }

  instance(i: number): Instance {
    const instance = this.instances[i];
    if (instance === undefined) throw new Error(`router: no instance ${i} of ${this.instances.length}`);
    return instance;
  }

  advanceAll(t: Ns): void {
    const { instances } = this;
    for (let i = 0; i < instances.length; i++) instances[i]?.advanceTo(t);
  }
}
