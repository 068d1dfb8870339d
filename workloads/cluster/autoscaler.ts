import type { PoolRole } from '../run/poolRole.ts';
import type { AutoscalingSpec, ScaledPool } from '../run/timelineSpec.ts';
import type { Instance } from '../serving/instance.ts';
import type { Ns, Tokens } from '../units.ts';
import { capacityOf, type InstanceLimits } from './capacity.ts';
import type { ClusterChanges } from './clusterChanges.ts';
import type { ClusterState } from './clusterState.ts';
import { EventKind } from './eventKinds.ts';
import type { Fleet } from './fleet.ts';

/** Objectives where the spec gives none. */
const fallbackTtftMs = 1000;
const fallbackTpotMs = 50;
const defaultLoad = { queue_up_s: 0.5, queue_down_s: 0.05, kv_up: 0.9, kv_down: 0.5 };
const defaultSla = { target_load: 0.8 };

/** Decides once per interval how many instances of each pool serve; `timelineSpec.ts` says by which rules. */
export class Autoscaler {
  private readonly state: ClusterState;
  private readonly fleet: Fleet;
  private readonly changes: ClusterChanges;
  private readonly spec: AutoscalingSpec;
  private readonly intervalNs: Ns;
  private readonly limits: readonly InstanceLimits[];
  private readonly changedNs = new Map<PoolRole, Ns>();
  // Of the last interval: what arrived and what ended.
  private arrivals = 0;
  private arrivedPrompt: Tokens = 0;
  private ended = 0;
  private endedPrompt: Tokens = 0;
  private endedCached: Tokens = 0;
  private endedOutput: Tokens = 0;
  // The last mean lengths that were seen; NaN before any.
  private meanPrompt = Number.NaN;
  private meanOutput = Number.NaN;
  private cachedShare = 0;

  private constructor(state: ClusterState, fleet: Fleet, changes: ClusterChanges, spec: AutoscalingSpec) {
    this.state = state;
    this.fleet = fleet;
    this.changes = changes;
    this.spec = spec;
    this.intervalNs = Math.round(spec.interval_s * 1e9);
    const { scheduler } = state.spec.cluster;
    this.limits = state.instances.map((i) => ({
      profile: i.profile(scheduler.max_batched_tokens),
      kvTokens: i.pool.total * state.blockTokens,
      maxSequences: scheduler.max_sequences,
    }));
    state.queue.push(this.intervalNs, EventKind.autoscale, 0);
  }

  /** Undefined where nothing is scaled. */
  static of(state: ClusterState, fleet: Fleet, changes: ClusterChanges): Autoscaler | undefined {
    const spec = state.spec.autoscaling;
    return spec === undefined || spec.policy === 'static'
      ? undefined
      : new Autoscaler(state, fleet, changes, spec);
  }

  arrived(r: number): void {
    this.arrivals++;
    this.arrivedPrompt += this.state.traffic.promptTokens[r] ?? 0;
  }

  finished(r: number): void {
    const { traffic, requests } = this.state;
    this.ended++;
    this.endedPrompt += traffic.promptTokens[r] ?? 0;
    this.endedCached += requests.cachedTokens[r] ?? 0;
    this.endedOutput += traffic.outputTokens[r] ?? 0;
  }

  tick(t: Ns): void {
    this.state.queue.push(t + this.intervalNs, EventKind.autoscale, 0);
    this.state.advanceAll(t);
    if (this.arrivals > 0) this.meanPrompt = this.arrivedPrompt / this.arrivals;
    if (this.ended > 0) {
      this.meanOutput = this.endedOutput / this.ended;
      this.cachedShare = this.endedCached / this.endedPrompt;
    }
    for (const pool of this.spec.pools) {
      const now = this.fleet.count(pool.pool, 'active', 'starting');
      const wanted = this.spec.policy === 'load' ? this.byLoad(pool, now) : this.bySla(pool, now);
      this.adjust(pool, now, Math.max(pool.min, Math.min(pool.max, wanted)), t);
    }
    this.arrivals = 0;
    this.arrivedPrompt = 0;
    this.ended = 0;
    this.endedPrompt = 0;
    this.endedCached = 0;
    this.endedOutput = 0;
  }

  private members(pool: PoolRole): Instance[] {
    return this.state.instances.filter((i) => i.role === pool && this.fleet.state(i.index) === 'active');
  }

  /** One more, one less, or as many as now. While an instance starts nothing is decided: its help is not yet to be seen. */
  private byLoad({ pool }: ScaledPool, now: number): number {
    const { queue_up_s, queue_down_s, kv_up, kv_down } = this.spec.load ?? defaultLoad;
    const serving = this.members(pool);
    if (serving.length === 0) return now + 1;
    if (this.fleet.count(pool, 'starting') > 0) return now;
    let queueS = 0;
    let kv = 0;
    for (const i of serving) {
      queueS += i.pendingPrefill / (this.limits[i.index]?.profile.prefillRate ?? 1) / serving.length;
      kv += i.pool.used / i.pool.total / serving.length;
    }
    const queue = pool !== 'decode';
    const memory = pool !== 'prefill';
    if ((queue && queueS > queue_up_s) || (memory && kv > kv_up)) return now + 1;
    if ((!queue || queueS < queue_down_s) && (!memory || kv < kv_down)) return now - 1;
    return now;
  }

  /** As many as the last interval's requests, and those that still wait, need. */
  private bySla({ pool }: ScaledPool, now: number): number {
    const { slo } = this.state.spec;
    const first = this.state.instances.find((i) => i.role === pool);
    const limits = first === undefined ? undefined : this.limits[first.index];
    if (limits === undefined || Number.isNaN(this.meanPrompt)) return now;
    // Before the first answer ends, how long answers are is not known: prompts alone count.
    const isNew = Number.isNaN(this.meanOutput);
    if (isNew && pool === 'decode') return now;
    const capacity = capacityOf(
      isNew ? 'prefill' : pool,
      limits,
      {
        prompt: Math.max(1, this.meanPrompt * (1 - this.cachedShare)),
        output: this.meanOutput,
        context: this.meanPrompt + this.meanOutput / 2,
      },
      { ttftNs: (slo.ttft_ms ?? fallbackTtftMs) * 1e6, tpotNs: (slo.tpot_ms ?? fallbackTpotMs) * 1e6 },
    );
    if (capacity === 0) return Number.POSITIVE_INFINITY;
    let waiting = 0;
    for (const i of this.state.instances) if (i.role === pool) waiting += i.waiting.length;
    const rate = (this.arrivals + waiting) / this.spec.interval_s;
    return Math.ceil(rate / (capacity * (this.spec.sla ?? defaultSla).target_load));
  }

  private adjust({ pool }: ScaledPool, now: number, wanted: number, t: Ns): void {
    const { fleet, changes, state } = this;
    let change = wanted - now;
    if (change > 0) {
      // An instance that is still draining resumes at once; the others start.
      for (const wantedState of ['draining', 'off'] as const) {
        for (let i = 0; i < state.instances.length && change > 0; i++) {
          if (fleet.role[i] !== pool || fleet.state(i) !== wantedState) continue;
          if (wantedState === 'draining') changes.resume(i, t);
          else changes.start(i, t, this.spec.startup_s, 'scale_up');
          fleet.scaleUps++;
          change--;
        }
      }
      this.changedNs.set(pool, t);
      return;
    }
    const since = t - (this.changedNs.get(pool) ?? Number.NEGATIVE_INFINITY);
    if (change === 0 || since < this.spec.cooldown_s * 1e9) return;
    const serving = this.members(pool).sort((a, b) => a.outstanding - b.outstanding || b.index - a.index);
    const most = Math.min(-change, serving.length - 1);
    for (const instance of serving.slice(0, most)) {
      changes.drain(instance.index, t, { kind: 'off' }, 'scale_down');
      fleet.scaleDowns++;
    }
    if (most > 0) this.changedNs.set(pool, t);
  }
}
