import type { ClusterView, Router, RouterKind } from '../routing/router.ts';
import { stream } from '../run/random.ts';
import type { Ns } from '../units.ts';
import type { ClusterState } from './clusterState.ts';
import type { PrefixView } from './prefixViews.ts';
import { TelemetryBoard } from './telemetryBoard.ts';

/** One of the routers side by side: its policy's own state, its own snapshots, and what it alone sent since the last one. */
export class RouterReplica {
  readonly router: Router;
  readonly board: TelemetryBoard;
  readonly prefixes: PrefixView;

  constructor(
    state: ClusterState,
    kind: RouterKind,
    cluster: ClusterView,
    prefixes: PrefixView,
    replicate: number,
    index: number,
  ) {
    const { spec, replicas } = state;
    this.prefixes = prefixes;
    this.board = new TelemetryBoard(replicas.length);
    this.router = kind.create({
      cluster,
      parameters: spec.policy.router_parameters,
      random: stream(
        spec.seed,
        index === 0 ? `routing ${replicate}` : `routing ${replicate} router ${index}`,
      ),
    });
    this.board.take(replicas, 0);
  }

  /** Time of its first refresh: the replicas look one after the other, evenly spread. */
  static firstRefreshNs(refreshNs: Ns, index: number, replicas: number): Ns {
    return Math.round((refreshNs * (index + 1)) / replicas);
  }
}

/** The replica that request r is dealt to. */
export function dealtTo(r: number, session: number | undefined, replicas: number): number {
  if (session === undefined) return r % replicas;
  // A multiplicative hash, so that neighbouring sessions do not share a router.
  return (Math.imul(session, 0x9e3779b1) >>> 8) % replicas;
}
