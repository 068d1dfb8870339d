import { stream } from '../harness/random.ts';
import type { RunSpec } from '../harness/spec.ts';
import { Sketch } from '../metrics/sketch.ts';
import { findModel } from '../model/models.ts';
import { kvBytesPerToken } from '../model/shape.ts';
import {
  type ActiveRequests,
  numberOf,
  type Router,
  ScoreSheet,
  type VisibleRequest,
} from '../routing/router.ts';
import { findRouter } from '../routing/routers.ts';
import { Instance, type InstanceEvents } from '../serving/instance.ts';
import { Phase, RequestTable } from '../serving/requestTable.ts';
import { InputError, type Traffic } from '../traffic/traffic.ts';
import type { Blocks, Bytes, Ns, Tokens } from '../units.ts';
import { blockTokensOf, kvBlocksOf } from './checkSpec.ts';
import { costModelOf, profile } from './costModels.ts';
import { EventQueue } from './eventQueue.ts';
import { isGood, type Recorder } from './recorder.ts';
import { niceStepNs, Sampler } from './sampler.ts';
import { TelemetryBoard } from './telemetryBoard.ts';

/** What a router with no KV arithmetic of its own pays per token where the model has no known shape. */
const unknownModelKvBytes = 131072;

/** Events at one time happen in this order. */
const Kind = { transferred: 0, depart: 1, refresh: 2, arrival: 3, plan: 4, wake: 5, sample: 6 } as const;

/**
 * One replicate of a run: the events between instances, in order of time. What concerns one instance alone (its passes)
 * is no event; the instance is advanced when someone looks at it. Only where the end of a pass can touch another instance
 * (a prompt that moves on, blocks that someone waits for) are its passes events (`wake`).
 */
export class Replicate implements InstanceEvents {
  readonly requests: RequestTable;
  readonly instances: Instance[] = [];
  readonly itlMs = new Sketch();
  clock: Ns = 0;
  completed = 0;
  rejected = 0;
  migrations = 0;
  transfers = 0;
  transferBytes: Bytes = 0;
  events = 0;
  lastFinish: Ns = 0;
  /** Checked by tests after every event. */
  onEvent: (() => void) | undefined;

  private readonly spec: RunSpec;
  private readonly traffic: Traffic;
  private readonly recorder: Recorder;
  private readonly progress: (done: number, clock: Ns) => void;
  private readonly queue = new EventQueue();
  private nextArrival = 0;

  private readonly router: Router;
  private readonly needsTelemetry: boolean;
  private readonly needsPrefix: boolean;
  private readonly refreshNs: Ns;
  private readonly planNs: Ns;
  private readonly board: TelemetryBoard;
  private readonly sheet: ScoreSheet;
  private readonly visible: VisibleRequest;

  private readonly sampler: Sampler;
  private sampleStep: Ns;
  private samplesAfterArrivals = 0;
  /** Requests that ended since the last sample. */
  private ended: number[] = [];

  // Hand-overs.
  private readonly wakes: Uint8Array;
  private readonly wakeAt: Float64Array;
  private readonly promptsDone: number[] = [];
  private readonly inbound: number[][];
  private readonly sendFree: Float64Array;
  private readonly receiveFree: Float64Array;
  private readonly kvBytes: Bytes;
  private readonly bytesPerNs: number;
  private readonly latencyNs: Ns;
  private readonly blockTokens: Tokens;

  // Migration.
  private readonly movedNs: Float64Array;
  private readonly leavingTo: Int32Array;
  private readonly active: ActiveRequests | undefined;

  constructor(
    spec: RunSpec,
    traffic: Traffic,
    index: number,
    recorder: Recorder,
    progress: (done: number, clock: Ns) => void,
  ) {
    this.spec = spec;
    this.traffic = traffic;
    this.recorder = recorder;
    this.progress = progress;
    this.requests = new RequestTable(traffic);
    const { cluster, policy } = spec;
    const kind = findRouter(policy.router);
    if (kind === undefined) throw new InputError(`policy.router: no router "${policy.router}"`);
    const count = cluster.instances.length;
    this.blockTokens = blockTokensOf(spec, traffic);
    const reuse = cluster.kv.prefix_reuse && traffic.blockTokens > 0;
    const asks = kind.asksWhereToDecode?.(policy.router_parameters) ?? false;
    this.wakes = new Uint8Array(count);
    cluster.instances.forEach((instance, i) => {
      const asksWhereToDecode = instance.pool === 'prefill' || (asks && instance.pool === 'mixed');
      if (asksWhereToDecode) this.wakes[i] = 1;
      this.instances.push(
        new Instance(
          {
            index: i,
            name: instance.name,
            role: instance.pool,
            cost: costModelOf(instance.cost, cluster.model),
            kvBlocks: kvBlocksOf(spec, instance.kv_blocks, this.blockTokens),
            blockTokens: this.blockTokens,
            prefixReuse: reuse,
            maxBatchedTokens: cluster.scheduler.max_batched_tokens,
            maxSequences: cluster.scheduler.max_sequences,
            asksWhereToDecode,
            plansAhead: cluster.scheduler.plans_ahead ?? false,
            keepsPreempted: cluster.kv.keeps_preempted ?? false,
          },
          this.requests,
          this,
          this.itlMs,
        ),
      );
    });
    this.wakeAt = new Float64Array(count).fill(Number.NaN);
    this.inbound = cluster.instances.map(() => []);
    this.sendFree = new Float64Array(count);
    this.receiveFree = new Float64Array(count);
    const model = findModel(cluster.model);
    this.kvBytes = model === undefined ? unknownModelKvBytes : kvBytesPerToken(model);
    this.bytesPerNs = cluster.link.bandwidth_gb_per_s;
    this.latencyNs = Math.round(cluster.link.latency_us * 1e3);

    this.needsTelemetry = kind.needs.telemetry;
    this.needsPrefix = kind.needs.prefix && reuse;
    this.refreshNs = this.needsTelemetry
      ? Math.round(numberOf(policy.router_parameters, 'telemetry_refresh_ms', 0) * 1e6)
      : 0;
    this.planNs = Math.round(kind.migrationIntervalNs?.(policy.router_parameters) ?? 0);
    this.board = new TelemetryBoard(count);
    this.sheet = new ScoreSheet(count, kind.terms.length);
    this.visible = {
      request: 0,
      nowNs: 0,
      arrivalNs: 0,
      promptTokens: 0,
      contextTokens: 0,
      priority: 0,
      session: 0,
      blocks: 0,
      holder: -1,
      cachedTokens: new Float64Array(count),
    };
    const profiles = this.instances.map((i) => profile(i.cost, cluster.scheduler.max_batched_tokens));
    this.router = kind.create({
      cluster: {
        instances: count,
        role: cluster.instances.map((i) => i.pool),
        profiledPrefillRate: Float64Array.from(profiles, (p) => p.prefillRate),
        profiledDecodeNs: Float64Array.from(profiles, (p) => p.decodeNs),
        profiledPerSequenceNs: Float64Array.from(profiles, (p) => p.perSequenceNs),
        profiledPerContextNs: Float64Array.from(profiles, (p) => p.perContextNs),
        hourlyCost: Float64Array.from(cluster.instances, (i) => i.hourly_cost ?? Number.NaN),
        kvBytesPerToken: this.kvBytes,
        blockTokens: this.blockTokens,
        maxBatchedTokens: cluster.scheduler.max_batched_tokens,
        maxSequences: cluster.scheduler.max_sequences,
        linkBytesPerSec: cluster.link.bandwidth_gb_per_s * 1e9,
        linkLatencyNs: this.latencyNs,
        slo: spec.slo,
      },
      parameters: policy.router_parameters,
      random: stream(spec.seed, `routing ${index}`),
    });
    const planning = this.planNs > 0 && this.router.migrate !== undefined;
    this.movedNs = new Float64Array(planning ? traffic.requests : 0).fill(Number.NEGATIVE_INFINITY);
    this.leavingTo = new Int32Array(planning ? traffic.requests : 0).fill(-1);
    const most = Math.min(traffic.requests, count * cluster.scheduler.max_sequences);
    this.active = planning
      ? {
          count: 0,
          request: new Int32Array(most),
          instance: new Int32Array(most),
          contextTokens: new Float64Array(most),
          generated: new Float64Array(most),
          priority: new Uint8Array(most),
          movedNs: new Float64Array(most),
        }
      : undefined;

    const duration = traffic.arrivalNs[traffic.requests - 1] ?? 0;
    const { ttft_ms, tpot_ms, e2e_ms } = spec.slo;
    this.sampleStep = niceStepNs(duration);
    this.sampler = new Sampler(
      recorder,
      this.instances,
      this.sampleStep,
      ttft_ms !== undefined || tpot_ms !== undefined || e2e_ms !== undefined,
    );
    this.board.take(this.instances, 0);
    this.queue.push(this.sampleStep, Kind.sample, 0);
    if (this.refreshNs > 0) this.queue.push(this.refreshNs, Kind.refresh, 0);
    if (planning) this.queue.push(this.planNs, Kind.plan, 0);
  }

  get done(): boolean {
    return this.completed + this.rejected === this.requests.count;
  }

  /** Handles events up to `until`, at most `maxEvents`; true when every request has ended. */
  advance(until: Ns, maxEvents: number): boolean {
    const { queue } = this;
    const arrivals = this.traffic.arrivalNs;
    for (let n = 0; n < maxEvents; n++) {
      if (this.done) {
        this.close();
        return true;
      }
      const arrival =
        this.nextArrival < this.requests.count ? (arrivals[this.nextArrival] ?? 0) : Number.POSITIVE_INFINITY;
      const next = queue.next;
      if (Math.min(arrival, next) > until) {
        this.clock = Math.max(this.clock, until);
        return false;
      }
      this.events++;
      if (arrival < next || (arrival === next && Kind.arrival < queue.nextKind)) {
        this.clock = arrival;
        this.arrive(this.nextArrival++, arrival);
      } else {
        queue.pop();
        this.clock = queue.at;
        this.handle(queue.kind, queue.at, queue.first, queue.second);
      }
      this.onEvent?.();
    }
    return this.done;
  }

  private handle(kind: number, t: Ns, first: number, second: number): void {
    switch (kind) {
      case Kind.transferred:
        this.transferred(first, second, t);
        break;
      case Kind.depart:
        this.depart(first, t);
        break;
      case Kind.refresh:
        this.advanceAll(t);
        this.board.take(this.instances, t);
        this.queue.push(t + this.refreshNs, Kind.refresh, 0);
        break;
      case Kind.plan:
        this.plan(t);
        this.queue.push(t + this.planNs, Kind.plan, 0);
        break;
      case Kind.wake:
        if (this.wakeAt[first] === t) this.wake(first, t);
        break;
      default:
        this.sample(t);
    }
  }

  private instance(i: number): Instance {
    const instance = this.instances[i];
    if (instance === undefined) throw new Error(`router: no instance ${i} of ${this.instances.length}`);
    return instance;
  }

  private advanceAll(t: Ns): void {
    const { instances } = this;
    for (let i = 0; i < instances.length; i++) instances[i]?.advanceTo(t);
  }

  /** Fills what the router may see of r at t; the columns are fresh where no refresh interval was asked for. */
  private show(r: number, t: Ns, holder: number): VisibleRequest {
    const { visible, traffic, requests } = this;
    const freshTelemetry = this.needsTelemetry && this.refreshNs === 0;
    if (freshTelemetry || this.needsPrefix) this.advanceAll(t);
    if (freshTelemetry) this.board.take(this.instances, t);
    const from = requests.idsFrom(r);
    const to = requests.idsTo(r);
    const prompt = traffic.promptTokens[r] ?? 0;
    visible.request = r;
    visible.nowNs = t;
    visible.arrivalNs = traffic.arrivalNs[r] ?? 0;
    visible.promptTokens = prompt;
    visible.contextTokens = prompt + Math.max(0, (requests.generated[r] ?? 0) - 1);
    visible.priority = traffic.priority[r] ?? 0;
    visible.session = traffic.session[r] ?? 0;
    visible.blocks = to - from;
    visible.holder = holder;
    if (this.needsPrefix) {
      for (let i = 0; i < this.instances.length; i++) {
        const blocks = this.instances[i]?.pool.match(traffic.blockIds, from, to) ?? 0;
        visible.cachedTokens[i] = Math.min(blocks * this.blockTokens, prompt);
      }
    }
    this.sheet.clear();
    return visible;
  }

  private arrive(r: number, t: Ns): void {
    this.sampler.arrived(t);
    const visible = this.show(r, t, -1);
    const chosen = this.router.prefill(visible, this.board, this.sheet);
    this.recorder.decision(r, t, 'prefill', chosen, this.sheet);
    const instance = this.instance(chosen);
    instance.advanceTo(t);
    instance.enqueue(r, t);
    this.board.sentRequests[chosen] = (this.board.sentRequests[chosen] ?? 0) + 1;
    const uncached = visible.promptTokens - (this.needsPrefix ? (visible.cachedTokens[chosen] ?? 0) : 0);
    this.board.sentPromptTokens[chosen] = (this.board.sentPromptTokens[chosen] ?? 0) + uncached;
    this.scheduleWake(chosen, t);
  }

  // ── Passes that are events ────────────────────────────────────────────────────────────────────

  private scheduleWake(i: number, t: Ns): void {
    const instance = this.instance(i);
    // Passes matter to others where someone waits for blocks, or where a prompt may end and move on.
    const matters =
      (this.inbound[i]?.length ?? 0) > 0 ||
      (this.wakes[i] === 1 && (instance.prefills > 0 || instance.waiting.length > 0));
    if (!matters) return;
    const at = instance.flying ? instance.endNs : instance.outstanding > 0 ? t : Number.NaN;
    if (Number.isNaN(at) || this.wakeAt[i] === at) return;
    this.wakeAt[i] = at;
    this.queue.push(at, Kind.wake, i);
  }

  private wake(i: number, t: Ns): void {
    this.wakeAt[i] = Number.NaN;
    const instance = this.instance(i);
    instance.advanceTo(t);
    this.placeDonePrompts(t);
    this.admitInbound(i, t);
    instance.startAt(t);
    // Where nothing could start, blocks are missing; whoever frees them wakes the instance.
    if (instance.flying) this.scheduleWake(i, t);
  }

  private placeDonePrompts(t: Ns): void {
    for (let k = 0; k < this.promptsDone.length; k++) {
      const r = this.promptsDone[k] ?? 0;
      const holder = this.requests.heldBy[r] ?? 0;
      const visible = this.show(r, t, holder);
      const wanted = this.router.decode?.(visible, this.board, this.sheet) ?? holder;
      const canStay = this.instance(holder).role !== 'prefill';
      if (wanted === holder && !canStay) {
        throw new Error(
          `router ${this.spec.policy.router} keeps request ${r} on the prefill instance ${holder}`,
        );
      }
      if (wanted !== holder) this.instance(wanted).advanceTo(t);
      // Who can decode where it is does not wait for room elsewhere: so nobody ever waits in a circle.
      const moves =
        wanted !== holder && canStay
          ? (this.inbound[wanted]?.length ?? 0) === 0 && this.startTransfer(r, wanted, t, 'transfer')
          : !canStay;
      const chosen = moves ? wanted : holder;
      this.recorder.decision(r, t, 'decode', chosen, this.sheet);
      if (!moves) {
        this.instance(holder).receive(r, t);
        continue;
      }
      this.board.sentRequests[chosen] = (this.board.sentRequests[chosen] ?? 0) + 1;
      if (canStay) continue;
      this.inbound[chosen]?.push(r);
      if (this.inbound[chosen]?.length === 1) {
        this.admitInbound(chosen, t);
        this.scheduleWake(chosen, t);
      }
    }
    this.promptsDone.length = 0;
  }

  // ── KV cache on the move ──────────────────────────────────────────────────────────────────────

  /** Reserves blocks for those who wait to come in, in order; the transfers start as soon as the links are free. */
  private admitInbound(to: number, t: Ns): void {
    const waiting = this.inbound[to];
    if (waiting === undefined || waiting.length === 0) return;
    let admitted = 0;
    while (admitted < waiting.length && this.startTransfer(waiting[admitted] ?? 0, to, t, 'transfer'))
      admitted++;
    if (admitted > 0) waiting.splice(0, admitted);
  }

  private startTransfer(r: number, to: number, t: Ns, kind: 'transfer' | 'migrate'): boolean {
    const { requests, traffic } = this;
    const target = this.instance(to);
    const pool = target.pool;
    const from = requests.heldBy[r] ?? 0;
    const context = (traffic.promptTokens[r] ?? 0) + (requests.generated[r] ?? 0) - 1;
    const ids = requests.idsFrom(r);
    const reuse = target.settings.prefixReuse;
    const hit = reuse ? pool.match(traffic.blockIds, ids, requests.idsTo(r)) : 0;
    const fresh = Math.ceil(context / this.blockTokens) - hit;
    if (fresh + (hit > 0 ? pool.idleAmong(traffic.blockIds, ids, hit) : 0) > pool.available) return false;
    pool.hold(traffic.blockIds, ids, hit);
    pool.take(fresh);
    requests.incomingShared[r] = hit;
    requests.incomingOwn[r] = fresh;
    requests.movingTo[r] = to;
    // Blocks that the target already has need not travel.
    const bytes = Math.max(0, context - hit * this.blockTokens) * this.kvBytes;
    const start = Math.max(t, this.sendFree[from] ?? 0, this.receiveFree[to] ?? 0);
    const duration = this.latencyNs + Math.round(bytes / this.bytesPerNs);
    this.sendFree[from] = start + duration;
    this.receiveFree[to] = start + duration;
    this.transfers++;
    this.transferBytes += bytes;
    this.queue.push(start + duration, Kind.transferred, r, to);
    this.recorder.kvEvent(t, kind, r, from, to, fresh, bytes, start + duration - t);
    return true;
  }

  private transferred(r: number, to: number, t: Ns): void {
    const { requests, traffic } = this;
    const from = requests.heldBy[r] ?? 0;
    const source = this.instance(from);
    const target = this.instance(to);
    source.advanceTo(t);
    target.advanceTo(t);
    source.releaseBlocks(r);
    let shared = requests.incomingShared[r] ?? 0;
    let own = requests.incomingOwn[r] ?? 0;
    if (target.settings.prefixReuse) {
      const ids = requests.idsFrom(r);
      for (const end = requests.idsTo(r); ids + shared < end; shared++, own--) {
        target.pool.publish(traffic.blockIds[ids + shared] ?? -1);
      }
    }
    requests.shared[r] = shared;
    requests.own[r] = own;
    requests.heldBy[r] = -1;
    requests.movingTo[r] = -1;
    if (Number.isNaN(requests.transferNs[r] ?? 0) && (requests.migrations[r] ?? 0) === 0) {
      requests.transferNs[r] = t - (requests.lastTokenNs[r] ?? t);
    }
    target.receive(r, t);
    this.admitInbound(from, t);
    this.scheduleWake(from, t);
    this.scheduleWake(to, t);
  }

  // ── Migration ─────────────────────────────────────────────────────────────────────────────────

  private plan(t: Ns): void {
    const { active, requests } = this;
    if (active === undefined) return;
    this.advanceAll(t);
    if (this.refreshNs === 0) this.board.take(this.instances, t);
    let n = 0;
    for (const instance of this.instances) {
      for (let r = instance.firstRunning; r >= 0; r = requests.runAfter[r] ?? -1) {
        if (requests.phase[r] !== Phase.decoding || (this.leavingTo[r] ?? -1) >= 0) continue;
        const generated = instance.generatedSoFar(r);
        active.request[n] = r;
        active.instance[n] = instance.index;
        active.generated[n] = generated;
        active.contextTokens[n] = (this.traffic.promptTokens[r] ?? 0) + generated - 1;
        active.priority[n] = this.traffic.priority[r] ?? 0;
        active.movedNs[n] = this.movedNs[r] ?? 0;
        n++;
      }
    }
    active.count = n;
    this.sheet.clear();
    this.router.migrate?.(t, active, this.board, this.sheet, (r, to) => this.move(r, to, t));
  }

  /** The request leaves at the end of the pass in progress. */
  private move(r: number, to: number, t: Ns): boolean {
    const from = this.instance(this.requests.decodeInstance[r] ?? -1);
    const context = (this.traffic.promptTokens[r] ?? 0) + from.generatedSoFar(r);
    if (to === from.index || this.instance(to).role === 'prefill') return false;
    if (Math.ceil((context + 1) / this.blockTokens) > this.instance(to).pool.available) return false;
    this.recorder.decision(r, t, 'migrate', to, this.sheet);
    this.leavingTo[r] = to;
    this.queue.push(from.flying ? from.endNs : t, Kind.depart, r);
    return true;
  }

  private depart(r: number, t: Ns): void {
    const to = this.leavingTo[r] ?? -1;
    this.leavingTo[r] = -1;
    const { requests } = this;
    const source = this.instance(requests.decodeInstance[r] ?? -1);
    source.advanceTo(t);
    // It may have ended, or lost its blocks, with that very pass.
    if (requests.phase[r] !== Phase.decoding || source.flying) return;
    this.instance(to).advanceTo(t);
    source.detach(r, t);
    if (this.startTransfer(r, to, t, 'migrate')) {
      requests.migrations[r] = (requests.migrations[r] ?? 0) + 1;
      this.migrations++;
      this.movedNs[r] = t;
    } else {
      requests.heldBy[r] = -1;
      source.receive(r, t);
    }
    this.scheduleWake(source.index, t);
  }

  // ── What instances tell ───────────────────────────────────────────────────────────────────────

  firstToken(r: number, at: Ns, instance: Instance): void {
    const ttftMs = (at - (this.traffic.arrivalNs[r] ?? 0)) / 1e6;
    this.sampler.firstToken(at, ttftMs);
    this.board.firstToken(instance.index, ttftMs);
  }

  finished(r: number, at: Ns): void {
    const { requests } = this;
    this.completed++;
    if (at > this.lastFinish) this.lastFinish = at;
    const n = this.traffic.outputTokens[r] ?? 0;
    const tpot = n < 2 ? Number.NaN : (at - (requests.firstTokenNs[r] ?? 0)) / (n - 1) / 1e6;
    this.sampler.finished(at, tpot, isGood(this.spec.slo, requests, r));
    this.ended.push(r);
  }

  preempted(r: number, at: Ns, instance: Instance, blocks: Blocks): void {
    this.recorder.kvEvent(at, 'preempt', r, instance.index, -1, blocks, 0, 0);
  }

  promptDone(r: number): void {
    this.promptsDone.push(r);
  }

  passes(
    instance: Instance,
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
    this.advanceAll(t);
    this.writeEnded();
    this.sampler.sample(t, this);
    this.progress(this.completed + this.rejected, t);
    if (this.done) return;
    if (this.nextArrival === this.requests.count) {
      this.samplesAfterArrivals++;
      if (this.queue.length === 0 && this.instances.every((i) => !i.flying && i.outstanding === 0)) {
        throw new Error(`simulator: ${this.requests.count - this.completed} requests are lost`);
      }
      // A long tail after the last arrival is sampled ever more coarsely.
      if (this.samplesAfterArrivals % 1000 === 0) this.sampleStep *= 2;
    }
    this.queue.push(t + this.sampleStep, Kind.sample, 0);
  }

  /** Rows of the requests that ended, in order of their ends. */
  private writeEnded(): void {
    const { requests } = this;
    const finish = requests.finishNs;
    this.ended.sort((a, b) => (finish[a] ?? 0) - (finish[b] ?? 0) || a - b);
    for (const r of this.ended) this.recorder.request(requests, r, 'completed');
    this.ended.length = 0;
  }

  private closed = false;

  /** Writes what is still open: rows of passes, evictions, unfinished requests. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.writeEnded();
    for (const instance of this.instances) {
      instance.closeRow();
      if (instance.pool.evictions > 0) {
        this.recorder.kvEvent(this.clock, 'evict', -1, instance.index, -1, instance.pool.evictions, 0, 0);
      }
    }
    for (let r = 0; r < this.nextArrival; r++) {
      const phase = this.requests.phase[r];
      if (phase !== Phase.completed && phase !== Phase.rejected) {
        this.recorder.request(this.requests, r, 'unfinished');
      }
    }
    this.progress(this.completed + this.rejected, this.clock);
  }

  get arrived(): number {
    return this.nextArrival;
  }
}
