import type { RebalanceSpec } from '../run/handoffSpec.ts';
import type { Instance } from '../serving/instance.ts';
import type { Ns } from '../units.ts';
import type { ClusterChanges } from './clusterChanges.ts';
import type { ClusterState } from './clusterState.ts';
import { EventKind } from './eventKinds.ts';
import type { Fleet } from './fleet.ts';

/** Objectives where the spec gives none: a second to the first token, 50 ms per token. */
const fallbackTtftMs = 1000;
const fallbackTpotMs = 50;

/**
 * Moves instances between the prefill and the decode pool. A pool's pressure is what its requests are about to meet, over
 * their objective:
 *
 *   prefill   seconds of prompts that wait or are being computed, per instance ÷ TTFT objective
 *   decode    the larger of: last pass ÷ TPOT objective · KV blocks in use ÷ all
 *
 * Where one pool is above `high` and the other below `low` in `checks` checks in a row, the least loaded instance of the
 * idle pool drains and changes over. One at a time, never the last of a pool, not before the cooldown is over, and not
 * where the instances that stay would exceed `high`.
 */
export class Rebalancer {
  private readonly state: ClusterState;
  private readonly fleet: Fleet;
  private readonly changes: ClusterChanges;
  private readonly limits: RebalanceSpec;
  private readonly intervalNs: Ns;
  private readonly prefillRate: Float64Array;
  private wish: 'prefill' | 'decode' | undefined;
  private inARow = 0;
  private changedNs = Number.NEGATIVE_INFINITY;

  private constructor(state: ClusterState, fleet: Fleet, changes: ClusterChanges, limits: RebalanceSpec) {
    this.state = state;
    this.fleet = fleet;
    this.changes = changes;
    this.limits = limits;
    this.intervalNs = Math.round(limits.interval_s * 1e9);
    const { max_batched_tokens } = state.spec.cluster.scheduler;
    this.prefillRate = Float64Array.from(state.instances, (i) => i.profile(max_batched_tokens).prefillRate);
    state.queue.push(this.intervalNs, EventKind.rebalance, 0);
  }

  static of(state: ClusterState, fleet: Fleet, changes: ClusterChanges): Rebalancer | undefined {
    const limits = state.spec.cluster.handoff?.rebalance;
    return limits === undefined ? undefined : new Rebalancer(state, fleet, changes, limits);
  }

  tick(t: Ns): void {
    this.state.queue.push(t + this.intervalNs, EventKind.rebalance, 0);
    this.state.advanceAll(t);
    const prefill = this.serving('prefill');
    const decode = this.serving('decode');
    // One at a time: nothing is decided while an instance is changing over.
    if (this.fleet.states.includes('draining')) return;
    const { high, low, checks, cooldown_s } = this.limits;
    const prefillPressure = this.prefillPressure(prefill);
    const decodePressure = this.decodePressure(decode);
    const wish =
      prefillPressure > high && decodePressure < low
        ? 'prefill'
        : decodePressure > high && prefillPressure < low
          ? 'decode'
          : undefined;
    this.inARow = wish !== undefined && wish === this.wish ? this.inARow + 1 : wish === undefined ? 0 : 1;
    this.wish = wish;
    if (wish === undefined || this.inARow < checks || t - this.changedNs < cooldown_s * 1e9) return;
    const donors = wish === 'prefill' ? decode : prefill;
    const pressure = wish === 'prefill' ? decodePressure : prefillPressure;
    if (donors.length < 2 || (pressure * donors.length) / (donors.length - 1) > high) return;
    let least = donors[0];
    for (const i of donors) if (i.outstanding < (least?.outstanding ?? 0)) least = i;
    if (least === undefined) return;
    this.changes.drain(least.index, t, { kind: 'role', pool: wish }, 'role');
    this.changedNs = t;
    this.inARow = 0;
  }

  private serving(pool: 'prefill' | 'decode'): Instance[] {
    return this.state.instances.filter((i) => i.role === pool && this.fleet.state(i.index) === 'active');
  }

  private prefillPressure(pool: readonly Instance[]): number {
    let seconds = 0;
    for (const i of pool) seconds += i.pendingPrefill / (this.prefillRate[i.index] ?? 1);
    const objective = (this.state.spec.slo.ttft_ms ?? fallbackTtftMs) / 1e3;
    return pool.length === 0 ? 0 : seconds / pool.length / objective;
  }

  private decodePressure(pool: readonly Instance[]): number {
    let pass = 0;
    let kv = 0;
    for (const i of pool) {
      const { decodePassNs } = i.counters;
      if (i.decoding > 0 && !Number.isNaN(decodePassNs)) pass += decodePassNs;
      kv += i.pool.used / i.pool.total;
    }
    const objective = (this.state.spec.slo.tpot_ms ?? fallbackTpotMs) * 1e6;
    return pool.length === 0 ? 0 : Math.max(pass / objective, kv) / pool.length;
  }
}
