import type { ClusterEvent, Recorder } from '../record/recorder.ts';
import type { Membership } from '../routing/router.ts';
import { gpusOf } from '../run/instanceSpec.ts';
import type { PoolRole } from '../run/poolRole.ts';
import type { RunSpec } from '../run/spec.ts';
import type { Ns } from '../units.ts';

/**
 *   off ──start──► starting ──► active ──drain──► draining ──► off, or active in another pool
 *                     ▲           │ crash            │ crash
 *                     └──recover── down ◄────────────┘
 */
export type InstanceState = 'off' | 'starting' | 'active' | 'draining' | 'down';

/** Which instances serve, which are paid for, and what the router knows of them. An instance is paid for unless it is `off`; `down` is paid for. */
export class Fleet {
  /** What is so. */
  readonly states: InstanceState[];
  /** What the router knows: a crash comes later, all else at once. */
  readonly membership: Membership & { version: number };
  readonly role: PoolRole[];
  /** 1 where the instance sends no telemetry: the router keeps what it last heard. */
  readonly silent: Uint8Array;
  scaleUps = 0;
  scaleDowns = 0;
  roleChanges = 0;
  crashes = 0;
  /** Requests whose instance was gone, and those that found it gone when they were sent there. */
  lost = 0;
  bounces = 0;
  lostKvTokens = 0;

  private readonly gpus: readonly number[];
  private readonly recorder: Recorder;
  private readonly paidSince: Float64Array;
  private paidNs = 0;

  constructor(spec: RunSpec, recorder: Recorder) {
    const { instances } = spec.cluster;
    this.recorder = recorder;
    this.gpus = instances.map(gpusOf);
    this.role = instances.map((instance) => instance.pool);
    const left = new Map(spec.autoscaling?.pools.map((pool) => [pool.pool, pool.initial]) ?? []);
    this.states = instances.map(({ pool }) => {
      const more = left.get(pool);
      if (more === undefined) return 'active';
      left.set(pool, more - 1);
      return more > 0 ? 'active' : 'off';
    });
    this.membership = { version: 1, takes: Uint8Array.from(this.states, (s) => (s === 'active' ? 1 : 0)) };
    this.silent = Uint8Array.from(this.states, (s) => (s === 'active' ? 0 : 1));
    this.paidSince = Float64Array.from(this.states, (s) => (s === 'off' ? Number.NaN : 0));
  }

  state(i: number): InstanceState {
    return this.states[i] ?? 'off';
  }

  /** Its process runs: what is sent there arrives. */
  isUp(i: number): boolean {
    const state = this.states[i];
    return state === 'active' || state === 'draining';
  }

  /** The router knows of someone to send prompts to. */
  get anyTakes(): boolean {
    return this.membership.takes.includes(1);
  }
  get anyDecodes(): boolean {
    return this.role.some((role, i) => role !== 'prefill' && this.membership.takes[i] === 1);
  }

  count(pool: PoolRole | undefined, ...states: readonly InstanceState[]): number {
    let n = 0;
    for (let i = 0; i < this.states.length; i++) {
      if ((pool === undefined || this.role[i] === pool) && states.includes(this.state(i))) n++;
    }
    return n;
  }

  set(i: number, state: InstanceState, t: Ns): void {
    const before = this.state(i);
    this.states[i] = state;
    this.silent[i] = state === 'active' || state === 'draining' ? 0 : 1;
    if (before === 'off' && state !== 'off') this.paidSince[i] = t;
    else if (before !== 'off' && state === 'off') this.pay(i, t);
  }

  private pay(i: number, t: Ns): void {
    this.paidNs += (t - (this.paidSince[i] ?? t)) * (this.gpus[i] ?? 1);
    this.paidSince[i] = Number.NaN;
  }

  /** The router hears whether instance i takes requests, and in which pool. */
  tell(i: number, takes: boolean, role: PoolRole = this.role[i] ?? 'mixed'): void {
    this.membership.takes[i] = takes ? 1 : 0;
    this.role[i] = role;
    this.membership.version++;
  }

  record(
    t: Ns,
    kind: ClusterEvent,
    instance: number,
    detail: string,
    request = -1,
    value = Number.NaN,
  ): void {
    this.recorder.clusterEvent(t, kind, instance, this.role[instance] ?? '', request, value, detail);
  }

  /** GPU-seconds paid for until t, the end of the replicate. */
  gpuSeconds(t: Ns): number {
    let ns = this.paidNs;
    for (let i = 0; i < this.gpus.length; i++) {
      const since = this.paidSince[i] ?? Number.NaN;
      if (!Number.isNaN(since)) ns += Math.max(0, t - since) * (this.gpus[i] ?? 1);
    }
    return ns / 1e9;
  }
}
