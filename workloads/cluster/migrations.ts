import type { ActiveRequests, RouterKind } from '../routing/router.ts';
import { Phase } from '../serving/requestTable.ts';
import type { Ns } from '../units.ts';
import type { ClusterState } from './clusterState.ts';
import type { Dispatch } from './dispatch.ts';
import { EventKind } from './eventKinds.ts';
import type { HandOvers } from './handOvers.ts';

/** Decoding requests that the router moves from one instance to another, at the end of a pass. */
export class Migrations {
  count = 0;
  private readonly state: ClusterState;
  private readonly dispatch: Dispatch;
  private readonly handOvers: HandOvers;
  private readonly planNs: Ns;
  /** When a request last moved, and where it is to go at the end of its pass (−1: nowhere). */
  private readonly movedNs: Float64Array;
  private readonly leavingTo: Int32Array;
  private readonly active: ActiveRequests;

  private constructor(state: ClusterState, dispatch: Dispatch, handOvers: HandOvers, planNs: Ns) {
    this.state = state;
    this.dispatch = dispatch;
    this.handOvers = handOvers;
    this.planNs = planNs;
    const { traffic, spec, instances, queue } = state;
    this.movedNs = new Float64Array(traffic.requests).fill(Number.NEGATIVE_INFINITY);
    this.leavingTo = new Int32Array(traffic.requests).fill(-1);
    const most = Math.min(traffic.requests, instances.length * spec.cluster.scheduler.max_sequences);
    this.active = {
      count: 0,
      request: new Int32Array(most),
      instance: new Int32Array(most),
      contextTokens: new Float64Array(most),
      generated: new Float64Array(most),
      priority: new Uint8Array(most),
      movedNs: new Float64Array(most),
    };
    queue.push(planNs, EventKind.plan, 0);
  }

  /** Undefined where the router never migrates. */
  static of(
    state: ClusterState,
    dispatch: Dispatch,
    handOvers: HandOvers,
    kind: RouterKind,
  ): Migrations | undefined {
    const planNs = Math.round(kind.migrationIntervalNs?.(state.spec.policy.router_parameters) ?? 0);
    if (planNs <= 0 || dispatch.router.migrate === undefined) return undefined;
    return new Migrations(state, dispatch, handOvers, planNs);
  }

  plan(t: Ns): void {
    const { active, state, dispatch } = this;
    const { requests, traffic } = state;
    state.advanceAll(t);
    if (dispatch.refreshNs === 0) dispatch.snapshot(t);
    let n = 0;
    for (const instance of state.instances) {
      for (let r = instance.firstRunning; r >= 0; r = requests.runAfter[r] ?? -1) {
        if (requests.phase[r] !== Phase.decoding || (this.leavingTo[r] ?? -1) >= 0) continue;
        const generated = instance.generatedSoFar(r);
        active.request[n] = r;
        active.instance[n] = instance.index;
        active.generated[n] = generated;
        active.contextTokens[n] = (traffic.promptTokens[r] ?? 0) + generated - 1;
        active.priority[n] = traffic.priority[r] ?? 0;
        active.movedNs[n] = this.movedNs[r] ?? 0;
        n++;
      }
    }
    active.count = n;
    dispatch.sheet.clear();
    dispatch.router.migrate?.(t, active, dispatch.board, dispatch.sheet, (r, to) => this.move(r, to, t));
    state.queue.push(t + this.planNs, EventKind.plan, 0);
  }

  /** The request leaves at the end of the pass in progress. */
  private move(r: number, to: number, t: Ns): boolean {
    const { state } = this;
    const from = state.instance(state.requests.decodeInstance[r] ?? -1);
    const target = state.instance(to);
    const context = (state.traffic.promptTokens[r] ?? 0) + from.generatedSoFar(r);
    if (to === from.index || target.role === 'prefill') return false;
    if (state.fleet?.isUp(to) === false) return false;
    if (Math.ceil((context + 1) / state.blockTokens) > target.pool.available) return false;
    state.recorder.decision(r, t, 'migrate', to, this.dispatch.sheet);
    this.leavingTo[r] = to;
    state.queue.push(from.flying ? from.endNs : t, EventKind.depart, r);
    return true;
  }

  depart(r: number, t: Ns): void {
    const to = this.leavingTo[r] ?? -1;
    this.leavingTo[r] = -1;
    const { state } = this;
    const { requests } = state;
    const source = state.instance(requests.decodeInstance[r] ?? -1);
    source.advanceTo(t);
    // It may have ended, or lost its blocks, with that very pass.
    if (requests.phase[r] !== Phase.decoding || source.flying || state.fleet?.isUp(to) === false) return;
    state.instance(to).advanceTo(t);
    source.detach(r);
    if (this.handOvers.transfers.start(r, to, t, 'migrate')) {
      requests.migrations[r] = (requests.migrations[r] ?? 0) + 1;
      this.count++;
      this.movedNs[r] = t;
    } else {
      requests.heldBy[r] = -1;
      source.receive(r, t);
    }
    this.handOvers.scheduleWake(source.index, t);
  }
}
