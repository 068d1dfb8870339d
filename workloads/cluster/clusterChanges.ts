import { ScaledCost } from '../cost/scaledCost.ts';
import type { PoolRole } from '../run/poolRole.ts';
import type { HealthSpec, TimelineEvent } from '../run/timelineSpec.ts';
import { Phase } from '../serving/requestTable.ts';
import type { Ns } from '../units.ts';
import type { ClusterState } from './clusterState.ts';
import { EventKind } from './eventKinds.ts';
import type { Fleet } from './fleet.ts';
import type { HandOvers } from './handOvers.ts';
import type { Links } from './links.ts';

/** Draining instances are looked at this often: what they end in between is noticed then. */
const drainCheckNs = 100e6;

type After = { readonly kind: 'off' } | { readonly kind: 'role'; readonly pool: PoolRole };

/** Carries out what happens to instances: the timeline, and what autoscaling and re-balancing decide. */
export class ClusterChanges {
  private readonly state: ClusterState;
  private readonly fleet: Fleet;
  private readonly handOvers: HandOvers;
  private readonly links: Links;
  /** The telemetry refresh of the router; 0: it sees the present. */
  private readonly refreshNs: Ns;
  private readonly mixedAsk: boolean;
  private readonly health: HealthSpec;
  private readonly retryNs: Ns;
  private readonly timeline: readonly TimelineEvent[];
  private timelineLeft: number;
  /** What a draining instance does next. */
  private readonly after: (After | undefined)[];
  private isChecking = false;
  /** A crash that the router may hear of from this time on; NaN: there is none. */
  private readonly knownFrom: Float64Array;
  private readonly failuresInARow: Int32Array;
  /** Prompts that no instance takes now, and computed prompts without a decode instance. */
  private readonly parked: number[] = [];

  constructor(
    state: ClusterState,
    fleet: Fleet,
    handOvers: HandOvers,
    links: Links,
    refreshNs: Ns,
    mixedAsk: boolean,
  ) {
    this.state = state;
    this.fleet = fleet;
    this.handOvers = handOvers;
    this.links = links;
    this.refreshNs = refreshNs;
    this.mixedAsk = mixedAsk;
    const { spec, queue, instances } = state;
    this.health = spec.health ?? { detection_s: 0, retry_ms: 1, breaker_failures: 0 };
    this.retryNs = Math.round(this.health.retry_ms * 1e6);
    this.timeline = spec.timeline ?? [];
    this.timelineLeft = this.timeline.length;
    this.after = instances.map(() => undefined);
    this.knownFrom = new Float64Array(instances.length).fill(Number.NaN);
    this.failuresInARow = new Int32Array(instances.length);
    this.timeline.forEach((event, k) => {
      queue.push(Math.round(event.at_s * 1e9), EventKind.timeline, k);
    });
  }

  timelineEvent(k: number, t: Ns): void {
    const event = this.timeline[k];
    this.timelineLeft--;
    if (event === undefined) return;
    switch (event.event) {
      case 'crash':
        this.crash(event.instance, t);
        break;
      case 'recover':
        if (this.fleet.state(event.instance) === 'down') {
          this.start(event.instance, t, event.startup_s, 'recover');
        }
        break;
      case 'slow':
        this.slow(event.instance, event.factor, t);
        break;
      case 'link':
        this.links.degrade(event.instance, event.factor);
        this.fleet.record(t, 'link', event.instance ?? -1, `bandwidth × ${event.factor}`, -1, event.factor);
        break;
      case 'drain':
        this.drain(event.instance, t, { kind: 'off' }, 'drain');
        break;
      case 'resume':
        this.resume(event.instance, t);
        break;
      case 'role':
        this.drain(event.instance, t, { kind: 'role', pool: event.pool }, 'role');
        break;
      default:
        event satisfies never;
    }
  }

  // ── Coming and going ──────────────────────────────────────────────────────────────────────────

  /** Instance i serves after its start-up. */
  start(i: number, t: Ns, startupS: number, kind: 'recover' | 'scale_up'): void {
    this.fleet.set(i, 'starting', t);
    this.fleet.record(t, kind, i, `serves in ${startupS} s`, -1, startupS);
    this.state.queue.push(t + Math.round(startupS * 1e9), EventKind.started, i);
  }

  started(i: number, t: Ns): void {
    if (this.fleet.state(i) !== 'starting') return;
    this.state.instance(i).advanceTo(t);
    this.serve(i, t);
    this.fleet.record(t, 'serving', i, '');
  }

  private serve(i: number, t: Ns): void {
    this.fleet.set(i, 'active', t);
    this.knownFrom[i] = Number.NaN;
    this.failuresInARow[i] = 0;
    this.fleet.tell(i, true);
    this.unpark(t);
  }

  /** Nothing new is sent to i; once it has ended what it has, `after` happens. */
  drain(i: number, t: Ns, after: After, kind: 'drain' | 'role' | 'scale_down'): void {
    if (this.fleet.state(i) !== 'active') return;
    this.fleet.set(i, 'draining', t);
    this.fleet.tell(i, false);
    this.after[i] = after;
    this.fleet.record(t, kind, i, after.kind === 'role' ? `to ${after.pool}` : '');
    if (!this.isChecking) {
      this.isChecking = true;
      this.state.queue.push(t + drainCheckNs, EventKind.drainCheck, 0);
    }
  }

  /** A draining or drained instance is sent requests again at once. */
  resume(i: number, t: Ns): void {
    const state = this.fleet.state(i);
    if (state !== 'draining' && state !== 'off') return;
    this.after[i] = undefined;
    this.serve(i, t);
    this.fleet.record(t, 'resume', i, '');
  }

  drainCheck(t: Ns): void {
    const { fleet } = this;
    for (let i = 0; i < this.after.length; i++) {
      const after = this.after[i];
      if (after === undefined || fleet.state(i) !== 'draining') continue;
      const instance = this.state.instance(i);
      instance.advanceTo(t);
      if (this.isBusy(i)) continue;
      // Prompts without a decode instance may be decoded here once its role allows it.
      const willDecode = after.kind === 'role' && after.pool !== 'prefill';
      if (!willDecode && this.handOvers.holdsUnplaced(i)) continue;
      this.after[i] = undefined;
      if (after.kind === 'off') {
        fleet.set(i, 'off', t);
        fleet.record(t, 'off', i, '');
        continue;
      }
      instance.role = after.pool;
      instance.asksWhereToDecode = after.pool === 'prefill' || (this.mixedAsk && after.pool === 'mixed');
      fleet.roleChanges++;
      fleet.tell(i, false, after.pool);
      this.serve(i, t);
      fleet.record(t, 'serving', i, `in the ${after.pool} pool`);
    }
    this.isChecking = fleet.states.includes('draining');
    if (this.isChecking) this.state.queue.push(t + drainCheckNs, EventKind.drainCheck, 0);
  }

  private isBusy(i: number): boolean {
    return this.state.instance(i).outstanding > 0 || this.handOvers.touches(i);
  }

  private slow(i: number, factor: number, t: Ns): void {
    const instance = this.state.instance(i);
    instance.advanceTo(t);
    if (instance.cost instanceof ScaledCost) instance.cost.factor = factor;
    instance.costChanged();
    this.fleet.record(t, 'slow', i, `passes take × ${factor}`, -1, factor);
  }

  // ── Faults ────────────────────────────────────────────────────────────────────────────────────

  private crash(i: number, t: Ns): void {
    const { fleet, state, handOvers } = this;
    if (!fleet.isUp(i)) return;
    const instance = state.instance(i);
    // Passes that are over are over: their prompts may be on their way before the instance goes.
    instance.advanceTo(t);
    handOvers.placeDonePrompts(t);
    fleet.set(i, 'down', t);
    fleet.crashes++;
    this.after[i] = undefined;
    const moving = handOvers.lose(i, t);
    const { requests, kvTokens } = instance.crash(t);
    const lostTokens = kvTokens + moving.kvTokens;
    fleet.lostKvTokens += lostTokens;
    fleet.record(t, 'crash', i, `${requests.length + moving.lost.length} requests lost`, -1, lostTokens);
    for (const r of [...moving.lost, ...requests]) {
      fleet.lost++;
      this.strand(r, t);
      fleet.record(t, 'lost', i, '', r);
      this.failed(i, t);
    }
    for (const r of moving.toPlaceAgain) handOvers.placeAgain(r, t);
    // Blocks that were reserved elsewhere for what is lost are free again.
    handOvers.placeDonePrompts(t);
    this.knownFrom[i] = t + Math.round(this.health.detection_s * 1e9);
    if (this.refreshNs === 0) state.queue.push(this.knownFrom[i] ?? t, EventKind.detected, i);
  }

  /** r is nowhere until it is routed again. Tokens that were streamed stay counted, and the first token keeps its time. */
  private strand(r: number, t: Ns): void {
    const { requests, queue } = this.state;
    requests.phase[r] = Phase.stranded;
    requests.heldBy[r] = -1;
    requests.movingTo[r] = -1;
    requests.retries[r] = (requests.retries[r] ?? 0) + 1;
    queue.push(t + this.retryNs, EventKind.reroute, r);
  }

  /** A prompt was sent to an instance that is gone. */
  bounced(r: number, i: number, t: Ns): void {
    this.fleet.bounces++;
    this.fleet.record(t, 'bounce', i, '', r);
    this.strand(r, t);
    this.failed(i, t);
  }

  /** A computed prompt was to be handed over to an instance that is gone; it waits where it is. */
  placeBounced(r: number, i: number, t: Ns): void {
    const { requests, queue } = this.state;
    this.fleet.bounces++;
    this.fleet.record(t, 'bounce', i, '', r);
    requests.retries[r] = (requests.retries[r] ?? 0) + 1;
    queue.push(t + this.retryNs, EventKind.reroute, r);
    this.failed(i, t);
  }

  /** A connection to i broke or was refused. */
  private failed(i: number, t: Ns): void {
    const inARow = (this.failuresInARow[i] ?? 0) + 1;
    this.failuresInARow[i] = inARow;
    if (inARow !== this.health.breaker_failures || this.fleet.membership.takes[i] !== 1) return;
    this.fleet.tell(i, false);
    this.fleet.record(t, 'detected', i, 'by failed connections');
  }

  detected(i: number, t: Ns): void {
    if (!((this.knownFrom[i] ?? Number.NaN) <= t)) return;
    this.knownFrom[i] = Number.NaN;
    if (this.fleet.state(i) === 'active' || this.fleet.membership.takes[i] !== 1) return;
    this.fleet.tell(i, false);
    this.fleet.record(t, 'detected', i, 'by the health check');
  }

  /** The router's telemetry is refreshed: it hears of crashes that the health check has seen. */
  refresh(t: Ns): void {
    for (let i = 0; i < this.knownFrom.length; i++) this.detected(i, t);
  }

  // ── Requests without an instance ──────────────────────────────────────────────────────────────

  /** r waits until an instance is there for it. */
  park(r: number): void {
    this.parked.push(r);
  }

  private unpark(t: Ns): void {
    for (const r of this.parked) this.state.queue.push(t, EventKind.reroute, r);
    this.parked.length = 0;
  }

  /** Requests that no instance will ever take, since neither the timeline nor an autoscaler brings one back; empty otherwise. */
  hopeless(): readonly number[] {
    const { fleet } = this;
    if (this.parked.length === 0 || this.timelineLeft > 0) return [];
    for (let i = 0; i < fleet.states.length; i++) {
      const state = fleet.state(i);
      if (state === 'starting') return [];
      const after = this.after[i];
      if (state === 'draining' && after?.kind === 'role' && !this.isStuck(i, after.pool)) return [];
    }
    const scaling = this.state.spec.autoscaling;
    const willStart = scaling?.pools.some(
      ({ pool, min }) => fleet.count(pool, 'off') > 0 && fleet.count(pool, 'active', 'starting') < min,
    );
    if (scaling?.policy !== 'static' && willStart === true) return [];
    return this.parked.splice(0);
  }

  /** Instance i cannot end what it has: it holds, or its own requests wait for the blocks of, prompts without a decode instance. */
  private isStuck(i: number, pool: PoolRole): boolean {
    const { handOvers } = this;
    if (!handOvers.holdsUnplaced(i)) return false;
    if (this.state.instance(i).flying || handOvers.touches(i)) return false;
    return this.isBusy(i) || pool === 'prefill';
  }
}
