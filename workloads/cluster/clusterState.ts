import type { Recorder } from '../record/recorder.ts';
import type { CouplingTotals } from '../record/replicateResult.ts';
import { hasFleet } from '../run/fleetSpec.ts';
import type { RunSpec } from '../run/spec.ts';
import type { KvCarrier } from '../serving/blockTables.ts';
import type { Instance } from '../serving/instance.ts';
import type { Replica } from '../serving/replica.ts';
import type { RequestTable } from '../serving/requestTable.ts';
import { Scheduling } from '../serving/schedulers/schedulers.ts';
import type { Tiers } from '../serving/tiers/tiers.ts';
import type { Traffic } from '../traffic/traffic.ts';
import type { Ns, Tokens } from '../units.ts';
import type { AdmissionDesk } from './admissionDesk.ts';
import { blockTokensOf } from './blocks.ts';
import { EventQueue } from './eventQueue.ts';
import { Fleet } from './fleet.ts';
import { kvBytesOf } from './links.ts';
import type { MadeReplicas } from './replicaMaker.ts';

/** What the parts of a replicate (dispatch, hand-overs, migrations) share: the requests, the instances and the future. */
export class ClusterState {
  readonly spec: RunSpec;
  readonly traffic: Traffic;
  readonly requests: RequestTable;
  readonly recorder: Recorder;
  readonly queue = new EventQueue();
  /** Every replica, in the order of the spec. */
  readonly replicas: Replica[] = [];
  /** The same replicas where their batches are composed here; empty where servers compose their own. */
  readonly instances: Instance[] = [];
  /** Expert groups and pipelines among the instances. */
  couplings: CouplingTotals = { groups: [], lines: [] };
  readonly blockTokens: Tokens;
  /** Prefixes can be found again: the cluster keeps them, and the traffic names them. */
  readonly reuse: boolean;
  /** Undefined without an admission policy. */
  desk: AdmissionDesk | undefined = undefined;
  /** Moves KV caches between real memories; undefined where links are modelled. */
  carrier: KvCarrier | undefined = undefined;
  /** Says that an event was added from outside; does nothing in virtual time. */
  wake: () => void = () => undefined;
  /** KV caches on their way in real time. */
  moving = 0;
  /** Undefined where evicted blocks are gone. */
  tiers: Tiers | undefined = undefined;
  /** Which instances serve; undefined where that never changes. */
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

  /** Takes the replicas that an engine made. */
  take({ replicas, instances, couplings, tiers, carrier }: MadeReplicas): void {
    this.replicas.push(...replicas);
    this.instances.push(...instances);
    if (couplings !== undefined) this.couplings = couplings;
    this.tiers = tiers;
    this.carrier = carrier;
  }

  replica(i: number): Replica {
    const replica = this.replicas[i];
    if (replica === undefined) throw new Error(`router: no instance ${i} of ${this.replicas.length}`);
    return replica;
  }

  /** A replica whose batches are composed here. */
  instance(i: number): Instance {
    const instance = this.instances[i];
    if (instance === undefined) throw new Error(`router: no instance ${i} of ${this.instances.length}`);
    return instance;
  }

  advanceAll(t: Ns): void {
    const { replicas } = this;
    for (let i = 0; i < replicas.length; i++) replicas[i]?.advanceTo(t);
  }
}
