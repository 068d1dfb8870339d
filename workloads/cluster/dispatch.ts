import type { Profile } from '../cost/costModels.ts';
import {
  type ClusterView,
  numberOf,
  type Router,
  type RouterKind,
  ScoreSheet,
  type TierTokens,
  type VisibleRequest,
} from '../routing/router.ts';
import { findRouter } from '../routing/routers.ts';
import { InputError } from '../run/inputError.ts';
import type { RouterViewSpec } from '../run/routerViewSpec.ts';
import type { RunSpec } from '../run/spec.ts';
import { absentInt32 } from '../run/tables.ts';
import type { Ns, Tokens } from '../units.ts';
import type { ClusterState } from './clusterState.ts';
import { EventKind } from './eventKinds.ts';
import type { Links } from './links.ts';
import { type PrefixView, prefixViews } from './prefixViews.ts';
import { dealtTo, RouterReplica } from './routerReplica.ts';
import type { TelemetryBoard } from './telemetryBoard.ts';

export function routerKindOf(spec: RunSpec): RouterKind {
  const kind = findRouter(spec.policy.router);
  if (kind === undefined) throw new InputError(`policy.router: no router "${spec.policy.router}"`);
  return kind;
}

/** Nothing is known of a replica before it has served. */
const unknownProfile: Profile = {
  prefillRate: Number.NaN,
  decodeNs: Number.NaN,
  perSequenceNs: Number.NaN,
  perContextNs: Number.NaN,
};

/** The view of a router that asks for no prefixes. */
const noView: PrefixView = { match: () => 0, sent: () => undefined };

const oneRouter: RouterViewSpec = { replicas: 1, deal: 'round_robin', prefix: { kind: 'exact' } };

/** The routers at work: what they may see (telemetry as old as its refresh interval, the request, prefix hits), and their choices. */
export class Dispatch {
  readonly cluster: ClusterView;
  readonly sheet: ScoreSheet;
  /** 0: the router always sees the present. */
  readonly refreshNs: Ns;
  private readonly state: ClusterState;
  private readonly needsTelemetry: boolean;
  private readonly needsPrefix: boolean;
  /** Instance from which the last placed prompt fetches its prefix; −1 for none. */
  fetchFrom = -1;
  private readonly visible: VisibleRequest;
  /** One unless the spec asks for more; each request belongs to one of them. */
  private readonly replicas: readonly RouterReplica[];
  /** Of the request that was last asked about. */
  private current: RouterReplica;
  private readonly leader: RouterReplica;
  private readonly bySession: boolean;

  constructor(state: ClusterState, kind: RouterKind, links: Links, replicate: number) {
    this.state = state;
    const { spec, replicas: served } = state;
    const parameters = spec.policy.router_parameters;
    const count = served.length;
    this.needsTelemetry = kind.needs.telemetry;
    this.needsPrefix = kind.needs.prefix && state.reuse;
    this.refreshNs = this.needsTelemetry
      ? Math.round(numberOf(parameters, 'telemetry_refresh_ms', 0) * 1e6)
      : 0;
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
      complexity: undefined,
      cachedTokens: new Float64Array(count),
      ...(kind.needs.tiers === true && state.tiers !== undefined
        ? { tierTokens: { host: new Float64Array(count), disk: new Float64Array(count) } }
        : {}),
    };
    this.cluster = clusterViewOf(state, links);
    const { replicas, deal, prefix } = spec.policy.view ?? oneRouter;
    this.bySession = deal === 'session';
    const views = this.needsPrefix
      ? prefixViews(prefix, served, state.instances, replicas)
      : Array.from({ length: replicas }, () => noView);
    const [first, ...others] = views.map(
      (view, i) => new RouterReplica(state, kind, this.cluster, view, replicate, i),
    );
    if (first === undefined) throw new Error('policy.view: no router at all');
    this.replicas = [first, ...others];
    this.leader = first;
    this.current = first;
    if (this.refreshNs === 0) return;
    for (let i = 0; i < replicas; i++) {
      state.queue.push(RouterReplica.firstRefreshNs(this.refreshNs, i, replicas), EventKind.refresh, i);
    }
  }

  /** The router that plans migrations: the first one. */
  get router(): Router {
    return this.leader.router;
  }
  get board(): TelemetryBoard {
    return this.leader.board;
  }

  /** One router's snapshot of all instances, which were advanced to t; by default the first router's. */
  snapshot(t: Ns, replica: RouterReplica = this.leader): void {
    replica.board.take(this.state.replicas, t, this.state.fleet?.silent);
  }

  /** The snapshot of one router is renewed. */
  refresh(t: Ns, replica = 0): void {
    this.state.advanceAll(t);
    this.snapshot(t, this.replicas[replica]);
    this.state.queue.push(t + this.refreshNs, EventKind.refresh, replica);
  }

  /** All routers read it in their next snapshot. */
  firstToken(instance: number, ttftMs: number): void {
    for (let i = 0; i < this.replicas.length; i++) this.replicas[i]?.board.firstToken(instance, ttftMs);
  }

  private replicaOf(r: number): RouterReplica {
    const n = this.replicas.length;
    if (n === 1) return this.leader;
    return this.replicas[dealtTo(r, this.bySession ? this.conversationOf(r) : undefined, n)] ?? this.leader;
  }

  /** The session; where the traffic knows none, the second block of the prompt, since the first is often common to all. */
  private conversationOf(r: number): number | undefined {
    const { traffic, requests } = this.state;
    const session = traffic.session[r] ?? absentInt32;
    if (session !== absentInt32) return session;
    const from = requests.idsFrom(r);
    const to = requests.idsTo(r);
    return to > from ? traffic.blockIds[Math.min(from + 1, to - 1)] : undefined;
  }

  /** Fills what the router may see of r at t; the columns are fresh where no refresh interval was asked for. */
  private show(r: number, t: Ns, holder: number): VisibleRequest {
    const { visible, state } = this;
    const { traffic, requests, replicas } = state;
    const replica = this.replicaOf(r);
    this.current = replica;
    const freshTelemetry = this.needsTelemetry && this.refreshNs === 0;
    if (freshTelemetry || this.needsPrefix) state.advanceAll(t);
    if (freshTelemetry) this.snapshot(t, replica);
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
    visible.complexity = requests.complexity?.seen[r];
    if (this.needsPrefix) {
      for (let i = 0; i < replicas.length; i++) {
        const blocks = replica.prefixes.match(i, traffic.blockIds, from, to, t);
        visible.cachedTokens[i] = Math.min(blocks * state.blockTokens, prompt);
      }
    }
    if (visible.tierTokens !== undefined) this.showTiers(visible.tierTokens, from, to, prompt, t);
    this.sheet.clear();
    return visible;
  }

  /** What each instance could fetch from below its HBM, as it is: the index of a tier knows of every change at once. */
  private showTiers({ host, disk }: TierTokens, from: number, to: number, prompt: Tokens, t: Ns): void {
    const { instances, traffic, blockTokens } = this.state;
    const tokens = (blocks: number) => Math.min(blocks * blockTokens, prompt);
    instances.forEach((instance, i) => {
      const { pool, tiers } = instance;
      if (tiers === undefined) return;
      const own = pool.match(traffic.blockIds, from, to);
      const below = tiers.below(traffic.blockIds, from + own, to, t, (id) => pool.has(id));
      host[i] = tokens(own + below.host) - tokens(own);
      disk[i] = tokens(own + below.host + below.disk) - tokens(own + below.host);
    });
  }

  /** What the router sees of r at t; valid until the next question. */
  look(r: number, t: Ns, holder = -1): VisibleRequest {
    return this.show(r, t, holder);
  }

  /** The instance that is to compute the prompt of r. */
  prefill(r: number, t: Ns): number {
    const visible = this.show(r, t, -1);
    const { router } = this.current;
    const chosen = router.prefill(visible, this.current.board, this.sheet);
    this.fetchFrom = router.fetchFrom?.() ?? -1;
    this.state.recorder.decision(r, t, 'prefill', chosen, this.sheet);
    return chosen;
  }

  /**
   * Where r, whose prompt `holder` computed (−1: not computed yet), is to decode; `holder` where no instance takes it. The sheet holds
   * the reasons until the next question.
   */
  decode(r: number, t: Ns, holder: number): number {
    if (this.state.fleet?.anyDecodes === false) return holder;
    const visible = this.show(r, t, holder);
    return this.current.router.decode?.(visible, this.current.board, this.sheet) ?? holder;
  }

  /** The router remembers what it sent to whom until the next snapshot shows it; `prefill` for r was the last question. */
  sentPrompt(chosen: number): void {
    const { visible, current, state } = this;
    const { board } = current;
    const uncached = visible.promptTokens - (this.needsPrefix ? (visible.cachedTokens[chosen] ?? 0) : 0);
    this.sent(chosen);
    board.sentPromptTokens[chosen] = (board.sentPromptTokens[chosen] ?? 0) + uncached;
    if (!this.needsPrefix) return;
    const { request } = visible;
    current.prefixes.sent(
      chosen,
      state.traffic.blockIds,
      state.requests.idsFrom(request),
      state.requests.idsTo(request),
    );
  }

  sent(chosen: number): void {
    const { board } = this.current;
    board.sentRequests[chosen] = (board.sentRequests[chosen] ?? 0) + 1;
  }
}

function clusterViewOf({ spec, replicas, blockTokens, fleet }: ClusterState, links: Links): ClusterView {
  const { cluster } = spec;
  const { complexity } = spec.policy;
  const profiles = replicas.map((i) => i.profile(cluster.scheduler.max_batched_tokens) ?? unknownProfile);
  return {
    instances: replicas.length,
    role: fleet?.role ?? cluster.instances.map((i) => i.pool),
    ...(fleet === undefined ? {} : { membership: fleet.membership }),
    ...(complexity === undefined
      ? {}
      : {
          modelRank: Int32Array.from(cluster.instances, (i) =>
            complexity.ladder.indexOf(i.model ?? cluster.model),
          ),
        }),
    profiledPrefillRate: Float64Array.from(profiles, (p) => p.prefillRate),
    profiledDecodeNs: Float64Array.from(profiles, (p) => p.decodeNs),
    profiledPerSequenceNs: Float64Array.from(profiles, (p) => p.perSequenceNs),
    profiledPerContextNs: Float64Array.from(profiles, (p) => p.perContextNs),
    hourlyCost: Float64Array.from(cluster.instances, (i) => i.hourly_cost ?? Number.NaN),
    kvBytesPerToken: links.kvBytesPerToken,
    blockTokens,
    maxBatchedTokens: cluster.scheduler.max_batched_tokens,
    maxSequences: cluster.scheduler.max_sequences,
    linkBytesPerSec: cluster.link.bandwidth_gb_per_s * 1e9,
    linkLatencyNs: links.latencyNs,
    slo: spec.slo,
  };
}
