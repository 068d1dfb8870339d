import type { Sketch } from '../metrics/sketch.ts';
import type { CouplingTotals } from '../record/replicateResult.ts';
import type { KvCarrier } from '../serving/blockTables.ts';
import type { Instance } from '../serving/instance.ts';
import type { InstanceEvents, InstanceRef } from '../serving/instanceSettings.ts';
import type { Replica } from '../serving/replica.ts';
import type { Tiers } from '../serving/tiers/tiers.ts';
import type { Ns } from '../units.ts';
import type { ClusterState } from './clusterState.ts';
import type { WallClock } from './wallClock.ts';

/** What a replica reports to the cluster: the events of an instance, and what only a server can do. */
export interface ReplicaEvents extends InstanceEvents {
  /** The replica took r and lost it: an error, a broken stream, a time-out. It stays in the tables, and in no latency. */
  failed(request: number, at: Ns, reason: string): void;
  /** `answeredNs`: when the whole answer was there, where that is later than its last token: only then does a client think. */
  finished(request: number, at: Ns, instance: InstanceRef, answeredNs?: Ns): void;
  /** The replica turned r away (429, 503): it counts as rejected. */
  refused(request: number, at: Ns, reason: string): void;
}

export interface MakeRequest {
  readonly state: ClusterState;
  readonly replicate: number;
  readonly events: ReplicaEvents;
  /** Takes the gaps between tokens, ms. */
  readonly itlMs: Sketch;
  /** Mixed instances, too, ask the router where to decode. */
  readonly mixedAsk: boolean;
  /** The replicate's clock where time is real; undefined in virtual time. */
  readonly wall: WallClock | undefined;
}

export interface MadeReplicas {
  /** In the order of the spec. */
  readonly replicas: readonly Replica[];
  /** The same, where their batches are composed here: they can hand over, migrate, crash. Empty for servers. */
  readonly instances: readonly Instance[];
  readonly couplings?: CouplingTotals;
  readonly tiers?: Tiers;
  /** Moves KV caches between instances; absent: the links of the spec say how long it takes. */
  readonly carrier?: KvCarrier;
}

/** How an engine makes the replicas of a cluster. Throws InputError where it cannot. */
export type ReplicaMaker = (request: MakeRequest) => MadeReplicas;
