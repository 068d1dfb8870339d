import { Sketch } from '../metrics/sketch.ts';
import { isGood, type Recorder } from '../record/recorder.ts';
import type { CouplingTotals, ReplicateResult } from '../record/replicateResult.ts';
import { niceStepNs, Sampler } from '../record/sampler.ts';
import type { RunSpec } from '../run/spec.ts';
import { ComplexityColumns } from '../serving/complexity.ts';
import type { Instance } from '../serving/instance.ts';
import type { InstanceRef } from '../serving/instanceSettings.ts';
import type { PassResult } from '../serving/passPlan.ts';
import type { Replica } from '../serving/replica.ts';
import { Phase, RequestTable } from '../serving/requestTable.ts';
import type { Scheduling } from '../serving/schedulers/schedulers.ts';
import type { Tiers } from '../serving/tiers/tiers.ts';
import type { Traffic } from '../traffic/traffic.ts';
import type { Blocks, Bytes, Ns, Tokens } from '../units.ts';
import { AdmissionDesk } from './admissionDesk.ts';
import { Autoscaler } from './autoscaler.ts';
import { ClusterChanges } from './clusterChanges.ts';
import { ClusterState } from './clusterState.ts';
import { Conditional } from './conditional.ts';
import { Conversations } from './conversations.ts';
import { Dispatch, routerKindOf } from './dispatch.ts';
import { EventKind } from './eventKinds.ts';
import type { EventQueue } from './eventQueue.ts';
import type { Fleet } from './fleet.ts';
import { HandOvers } from './handOvers.ts';
import { Links } from './links.ts';
import { Migrations } from './migrations.ts';
import { PrefixFetches } from './prefixFetches.ts';
import { Rebalancer } from './rebalancer.ts';
import type { ReplicaEvents, ReplicaMaker } from './replicaMaker.ts';
import type { WallClock } from './wallClock.ts';

/**
 * One replicate of a run: the events between instances, in order of time. In virtual time the clock jumps from event to
 * event; where a WallClock is given, an event is handled when its time has come, at the time that it then is.
 *
 * What concerns one simulated instance alone (its passes) is no event; the instance is advanced when its state is read
 * (`handOvers.ts` says where passes are events after all). Passes that a device runs end by `executed`.
 */
export class Replicate implements ReplicaEvents, ReplicateResult {
  readonly requests: RequestTable;
  readonly replicas: readonly Replica[];
  /** The replicas whose batches are composed here. */
  readonly instances: readonly Instance[];
  readonly itlMs = new Sketch();
  clock: Ns = 0;
  completed = 0;
  rejected = 0;
  /** Requests that a replica took and lost. */
  failures = 0;
  events = 0;
  lastFinish: Ns = 0;
  /** Checked by tests after every event. */
  onEvent: (() => void) | undefined;

  private readonly spec: RunSpec;
  private readonly traffic: Traffic;
  private readonly recorder: Recorder;
  private readonly progress: (done: number, clock: Ns) => void;
  private readonly wall: WallClock | undefined;
  private readonly state: ClusterState;
  private readonly queue: EventQueue;
  private readonly dispatch: Dispatch;
  private readonly handOvers: HandOvers;
  readonly prefixFetches: PrefixFetches | undefined;
  private readonly conditional: Conditional | undefined;
  private readonly moves: Migrations | undefined;
  private readonly changes: ClusterChanges | undefined;
  private readonly autoscaler: Autoscaler | undefined;
  private readonly rebalancer: Rebalancer | undefined;
  private readonly conversations: Conversations | undefined;
  private nextArrival = 0;
  private readonly failureKinds = new Map<string, { readonly reason: string; more: number }>();

  private readonly sampler: Sampler;
  private sampleStep: Ns;
  private samplesAfterArrivals = 0;
  /** Requests that ended since the last sample. */
  private ended: number[] = [];
  private lost: number[] = [];

  constructor(
    spec: RunSpec,
    given: Traffic,
    index: number,
    recorder: Recorder,
    maker: ReplicaMaker,
    progress: (done: number, clock: Ns) => void,
    wall?: WallClock,
  ) {
    this.spec = spec;
    this.conversations = Conversations.of(given, () => this.queue, wall);
    const traffic = this.conversations?.traffic ?? given;
    this.traffic = traffic;
    this.recorder = recorder;
    this.progress = progress;
    this.wall = wall;
    this.requests = new RequestTable(traffic);
    const { complexity } = spec.policy;
    if (complexity !== undefined) {
      this.requests.complexity = new ComplexityColumns(complexity, traffic, spec.seed, index);
    }
    const kind = routerKindOf(spec);
    this.state = new ClusterState(spec, this.requests, recorder, index);
    const mixedAsk = kind.asksWhereToDecode?.(spec.policy.router_parameters) ?? false;
    this.state.take(
      maker({ state: this.state, replicate: index, events: this, itlMs: this.itlMs, mixedAsk, wall }),
    );
    if (wall !== undefined) this.state.wake = () => wall.wake();
    this.replicas = this.state.replicas;
    this.instances = this.state.instances;
    this.queue = this.state.queue;
    const links = new Links(spec.cluster);

    const duration = traffic.arrivalNs[traffic.requests - 1] ?? 0;
    const { ttft_ms, tpot_ms, e2e_ms } = spec.slo;
    this.sampleStep = niceStepNs(duration);
    this.sampler = new Sampler(
      recorder,
      this.replicas,
      this.sampleStep,
      ttft_ms !== undefined || tpot_ms !== undefined || e2e_ms !== undefined,
      this.state.fleet,
    );
    this.queue.push(this.sampleStep, EventKind.sample, 0);
    this.passTurns();
    this.dispatch = new Dispatch(this.state, kind, links, index);
    this.handOvers = new HandOvers(this.state, this.dispatch, links);
    this.prefixFetches = PrefixFetches.of(this.state, this.handOvers, links, kind);
    const conditional = spec.cluster.handoff?.conditional;
    this.conditional =
      conditional === undefined
        ? undefined
        : new Conditional(this.state, this.dispatch, this.handOvers, conditional);
    this.moves = Migrations.of(this.state, this.dispatch, this.handOvers, kind);
    const { admission } = spec.policy;
    if (admission !== undefined) {
      this.state.desk = new AdmissionDesk(admission, this.state, this.dispatch.cluster, index, (r) => {
        this.rejected++;
        this.conversations?.ended(r, this.clock, this.clock);
      });
    }
    const { fleet } = this.state;
    if (fleet !== undefined) {
      const { refreshNs } = this.dispatch;
      this.changes = new ClusterChanges(this.state, fleet, this.handOvers, links, refreshNs, mixedAsk);
      this.handOvers.changes = this.changes;
      this.autoscaler = Autoscaler.of(this.state, fleet, this.changes);
      this.rebalancer = Rebalancer.of(this.state, fleet, this.changes);
    }
  }

  /** Expert groups and pipelines among the instances. */
  get couplings(): CouplingTotals {
    return this.state.couplings;
  }

  get done(): boolean {
    return this.ends === this.requests.count;
  }
  /** Requests that have ended, in whatever way. */
  private get ends(): number {
    return this.completed + this.rejected + this.failures;
  }
  get desk(): AdmissionDesk | undefined {
    return this.state.desk;
  }
  /** Time between samples while requests arrive. */
  get sampleStepNs(): Ns {
    return this.sampler.stepNs;
  }
  get scheduling(): Scheduling | undefined {
    return this.state.scheduling;
  }
  get migrations(): number {
    return this.moves?.count ?? 0;
  }
  get transfers(): number {
    return this.handOvers.transfers.count;
  }
  get tiers(): Tiers | undefined {
    return this.state.tiers;
  }
  get fleet(): Fleet | undefined {
    return this.state.fleet;
  }
  get transferBytes(): Bytes {
    return this.handOvers.transfers.bytes;
  }

  /** Handles events up to `until`, at most `maxEvents`; true when every request has ended. */
  advance(until: Ns, maxEvents: number): boolean {
    const { queue } = this;
    const arrivals = this.traffic.arrivalNs;
    const lead = this.wall?.leadNs ?? 0;
    for (let n = 0; n < maxEvents; n++) {
      if (this.done) {
        this.close();
        return true;
      }
      const arrival =
        this.nextArrival < this.requests.count
          ? (arrivals[this.nextArrival] ?? 0) - lead
          : Number.POSITIVE_INFINITY;
      const next = queue.next;
      if (Math.min(arrival, next) > until) {
        this.clock = Math.max(this.clock, until);
        return false;
      }
      this.events++;
      const { wall } = this;
      if (arrival < next || (arrival === next && EventKind.arrival < queue.nextKind)) {
        this.clock = wall?.now() ?? arrival;
        // Nothing is handled before the replicate begins.
        wall?.arrivedLate(this.clock - Math.max(0, arrival));
        this.arrive(this.nextArrival++, this.clock);
        this.passTurns();
      } else {
        queue.pop();
        this.clock = wall?.now() ?? queue.at;
        this.handle(queue.kind, this.clock, queue.first, queue.second, queue.at);
      }
      this.onEvent?.();
    }
    return this.done;
  }

  /** Turns that wait for an answer are events, no arrivals at a time of their own. */
  private passTurns(): void {
    const { conversations } = this;
    if (conversations === undefined) return;
    while (this.nextArrival < this.requests.count && conversations.waits(this.nextArrival))
      this.nextArrival++;
  }

  /** Time of the next event or arrival; Infinity where there is none. */
  get nextNs(): Ns {
    const { nextArrival, requests, traffic, queue } = this;
    const lead = this.wall?.leadNs ?? 0;
    const arrival =
      nextArrival < requests.count ? (traffic.arrivalNs[nextArrival] ?? 0) - lead : Number.POSITIVE_INFINITY;
    return Math.min(arrival, queue.next);
  }

  /** The next event is an arrival. */
  get arrivesNext(): boolean {
    const { nextArrival, requests, traffic, queue } = this;
    return nextArrival < requests.count && (traffic.arrivalNs[nextArrival] ?? 0) <= queue.next;
  }

  /** An event that was due at `due` is handled at t. */
  private handle(kind: number, t: Ns, first: number, second: number, due: Ns): void {
    switch (kind) {
      case EventKind.transferred:
        this.handOvers.transferred(first, second, t, due);
        break;
      case EventKind.prefixFetched:
        this.prefixFetches?.arrived(first, second, t);
        break;
      case EventKind.depart:
        this.moves?.depart(first, t);
        break;
      case EventKind.refresh:
        this.changes?.refresh(t);
        this.dispatch.refresh(t, first);
        break;
      case EventKind.timeline:
        this.changes?.timelineEvent(first, t);
        break;
      case EventKind.started:
        this.changes?.started(first, t);
        break;
      case EventKind.detected:
        this.changes?.detected(first, t);
        break;
      case EventKind.drainCheck:
        this.changes?.drainCheck(t);
        break;
      case EventKind.autoscale:
        this.autoscaler?.tick(t);
        break;
      case EventKind.rebalance:
        this.rebalancer?.tick(t);
        break;
      case EventKind.reroute:
        if (!this.handOvers.retryPlace(first, t) && this.requests.phase[first] === Phase.stranded) {
          this.route(first, t);
        }
        break;
      case EventKind.batchDue:
        this.handOvers.batchDue(first, t);
        break;
      case EventKind.retry:
        if (this.desk?.comesBack(first) === true) this.place(first, t);
        break;
      case EventKind.deadline:
        this.giveUpWaiting(first, t);
        break;
      case EventKind.plan:
        this.moves?.plan(t);
        break;
      case EventKind.wake:
        this.handOvers.wake(first, t, due);
        break;
      case EventKind.turn:
        this.wall?.arrivedLate(t - due);
        this.arrive(first, t);
        break;
      default:
        this.sample(t);
    }
  }

  private arrive(r: number, t: Ns): void {
    this.sampler.arrived(t);
    this.autoscaler?.arrived(r);
    this.place(r, t);
  }

  /** Asks admission for a request, at its arrival or at a retry. */
  private place(r: number, t: Ns): void {
    const { desk } = this.state;
    if (desk?.admits(this.dispatch.look(r, t), t) === false) return;
    this.route(r, t);
  }

  /** Sends r, which was let in, to an instance; and again when the one it was on is gone. */
  private route(r: number, t: Ns): void {
    const { fleet } = this.state;
    if (fleet !== undefined && !fleet.anyTakes) {
      this.requests.phase[r] = Phase.stranded;
      this.changes?.park(r);
      return;
    }
    this.dispatch.fetchFrom = -1;
    const chosen = this.conditional?.prefill(r, t) ?? this.dispatch.prefill(r, t);
    this.dispatch.sentPrompt(chosen);
    if (fleet !== undefined && !fleet.isUp(chosen)) {
      this.changes?.bounced(r, chosen, t);
      return;
    }
    const replica = this.state.replica(chosen);
    replica.advanceTo(t);
    this.state.desk?.sent(r, chosen);
    if (this.prefixFetches?.start(r, this.dispatch.fetchFrom, chosen, t) === true) return;
    replica.submit(r, t);
    this.mayStart(chosen, t);
  }

  /** Something changed for replica i at t: a pass of it may start. Servers start their passes by themselves. */
  private mayStart(i: number, t: Ns): void {
    if (i < this.instances.length) this.handOvers.scheduleWake(i, t);
  }

  /** The deadline of r has passed. Where it held up the queue, the next one's pass may start, which is an event. */
  private giveUpWaiting(r: number, t: Ns): void {
    const { desk } = this;
    desk?.deadline(r, t);
    const instance = desk?.columns.sentTo[r] ?? -1;
    if (instance >= 0) this.mayStart(instance, t);
  }

  /** Rejects the requests that no instance takes and that no later event can place. */
  private rejectHopeless(t: Ns): void {
    for (const r of this.changes?.hopeless() ?? []) {
      if (!this.handOvers.giveUp(r, t) && this.requests.phase[r] !== Phase.stranded) continue;
      this.requests.phase[r] = Phase.rejected;
      this.state.desk?.abandoned(r, t);
      this.rejected++;
      this.conversations?.ended(r, t, t);
      this.recorder.request(this.requests, r, 'rejected');
    }
  }

  // ── What instances tell ───────────────────────────────────────────────────────────────────────

  firstToken(r: number, at: Ns, instance: { readonly index: number }): void {
    const ttftMs = (at - (this.traffic.arrivalNs[r] ?? 0)) / 1e6;
    this.sampler.firstToken(at, ttftMs);
    this.dispatch.firstToken(instance.index, ttftMs);
    this.state.desk?.firstToken(r, at, ttftMs);
  }

  finished(r: number, at: Ns, _instance?: InstanceRef, answeredNs: Ns = at): void {
    const { requests } = this;
    if ((requests.movingTo[r] ?? -1) >= 0) this.handOvers.cancelReservation(r, at);
    this.completed++;
    if (at > this.lastFinish) this.lastFinish = at;
    const n = requests.outputTokens[r] ?? 0;
    const tpot = n < 2 ? Number.NaN : (at - (requests.firstTokenNs[r] ?? 0)) / (n - 1) / 1e6;
    this.sampler.finished(at, tpot, isGood(this.spec.slo, requests, r));
    this.autoscaler?.finished(r);
    this.ended.push(r);
    this.conversations?.ended(r, answeredNs, this.clock);
    this.state.desk?.finished(r, at, tpot);
  }

  preempted(r: number, at: Ns, instance: InstanceRef, blocks: Blocks): void {
    this.recorder.kvEvent(at, 'preempt', r, instance.index, -1, blocks, 0, 0);
  }

  swapped(
    r: number,
    at: Ns,
    instance: InstanceRef,
    event: 'swap_out' | 'swap_in',
    blocks: Blocks,
    bytes: Bytes,
    ns: Ns,
  ): void {
    this.recorder.kvEvent(at, event, r, instance.index, instance.index, blocks, bytes, ns);
  }

  failed(r: number, at: Ns, reason: string): void {
    this.requests.phase[r] = Phase.failed;
    this.failures++;
    this.lost.push(r);
    this.conversations?.ended(r, at, at);
    this.state.desk?.abandoned(r, at);
    this.noteFailure(r, reason);
    this.wall?.wake();
  }

  /** Of each kind of failure the first one is logged as it happens, and how many followed at the end. */
  private noteFailure(r: number, reason: string): void {
    // Counts and ids differ from request to request; the kind is what a reader needs.
    const kind = reason.replace(/\d+/g, 'n');
    const seen = this.failureKinds.get(kind);
    if (seen === undefined) {
      this.failureKinds.set(kind, { reason, more: 0 });
      this.recorder.sink.log('warning', `request ${r} failed: ${reason}`);
    } else seen.more++;
  }

  refused(r: number, at: Ns, _reason: string): void {
    this.requests.phase[r] = Phase.rejected;
    this.rejected++;
    this.conversations?.ended(r, at, at);
    this.state.desk?.abandoned(r, at);
    this.recorder.request(this.requests, r, 'rejected');
    this.wall?.wake();
  }

  /** A device has run the pass of an instance: what follows is done at the time that it is now. */
  executed(instance: Instance, result: PassResult): void {
    instance.endPass(result.endNs);
    const t = this.wall?.now() ?? result.endNs;
    if (t > this.clock) this.clock = t;
    this.handOvers.passEnded(instance.index, t);
    this.wall?.wake();
  }

  promptDone(r: number): void {
    this.handOvers.promptDone(r);
  }

  passes(
    instance: InstanceRef,
    start: Ns,
    end: Ns,
    count: number,
    prefillTokens: Tokens,
    decoding: number,
    context: Tokens,
    kvBlocks: Blocks,
  ): void {
    if (this.recorder.wantsPasses) {
      this.recorder.passes(instance.index, start, end, count, prefillTokens, decoding, context, kvBlocks);
    }
  }

  // ── Samples and the end ───────────────────────────────────────────────────────────────────────

  private sample(t: Ns): void {
    this.state.advanceAll(t);
    this.writeEnded();
    if (this.changes !== undefined) this.rejectHopeless(t);
    this.sampler.sample(t, this);
    this.desk?.load.sample(t, this.recorder);
    this.progress(this.ends, t);
    if (this.done) return;
    if (this.nextArrival === this.requests.count) {
      this.samplesAfterArrivals++;
      if (this.queue.length === 0 && this.replicas.every((i) => i.outstanding === 0) && !this.isWaiting) {
        throw new Error(`cluster: ${this.requests.count - this.ends} requests are lost`);
      }
      // A long tail after the last arrival is sampled ever more coarsely.
      if (this.samplesAfterArrivals % 1000 === 0) this.sampleStep *= 2;
    }
    this.queue.push(t + this.sampleStep, EventKind.sample, 0);
  }

  /** A pass or a move of KV is in progress. */
  private get isWaiting(): boolean {
    return this.state.moving > 0 || this.instances.some((i) => i.flying);
  }

  /** Rows of the requests that ended, in order of their ends. */
  private writeEnded(): void {
    const { requests } = this;
    const finish = requests.finishNs;
    this.ended.sort((a, b) => (finish[a] ?? 0) - (finish[b] ?? 0) || a - b);
    for (const r of this.ended) this.recorder.request(requests, r, 'completed');
    this.ended.length = 0;
    for (const r of this.lost) this.recorder.request(requests, r, 'failed');
    this.lost.length = 0;
    const { desk } = this;
    if (desk === undefined) return;
    for (const r of desk.turnedAway) this.recorder.request(requests, r, 'rejected');
    desk.turnedAway.length = 0;
  }

  private closed = false;

  /** Writes what is still open: rows of passes, evictions, unfinished requests. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.writeEnded();
    for (const { reason, more } of this.failureKinds.values())
      if (more > 0) this.recorder.sink.log('warning', `${more} more requests failed like it: ${reason}`);
    this.tiers?.settle(this.clock);
    for (const replica of this.replicas) replica.close(this.clock);
    for (const instance of this.instances) {
      if (instance.pool.evictions > 0) {
        this.recorder.kvEvent(this.clock, 'evict', -1, instance.index, -1, instance.pool.evictions, 0, 0);
      }
    }
    for (let r = 0; r < this.nextArrival; r++) {
      const phase = this.requests.phase[r];
      if (!this.requests.came(r)) continue;
      if (phase !== Phase.completed && phase !== Phase.rejected && phase !== Phase.failed) {
        this.recorder.request(this.requests, r, 'unfinished');
      }
    }
    this.progress(this.ends, this.clock);
  }

  get arrived(): number {
    return this.nextArrival;
  }
}
