import { stream } from '../harness/random.ts';
import type { RunSpec } from '../harness/spec.ts';
import {
  type ClusterView,
  numberOf,
  type Router,
  type RouterKind,
  ScoreSheet,
  type VisibleRequest,
} from '../routing/router.ts';
import { findRouter } from '../routing/routers.ts';
import { InputError } from '../traffic/traffic.ts';
import type { Ns } from '../units.ts';
import type { ClusterState } from './clusterState.ts';
import { profile } from './costModels.ts';
import { EventKind } from './eventKinds.ts';
import type { Links } from './links.ts';
import { TelemetryBoard } from './telemetryBoard.ts';

export function routerKindOf(spec: RunSpec): RouterKind {
  const kind = findRouter(spec.policy.router);
  if (kind === undefined) throw new InputError(`policy.router: no router "${spec.policy.router}"`);
  return kind;
}

/** The router at work: what it may see (telemetry as old as its refresh interval, the request, prefix hits), and its choices. */
export class Dispatch {
  readonly router: Router;
  readonly cluster: ClusterView;
  readonly board: TelemetryBoard;
  readonly sheet: ScoreSheet;
  /** 0: the router always sees the present. */
  readonly refreshNs: Ns;
  private readonly state: ClusterState;
  private readonly needsTelemetry: boolean;
  private readonly needsPrefix: boolean;
  private readonly visible: VisibleRequest;

  constructor(state: ClusterState, kind: RouterKind, links: Links, replicate: number) {
    this.state = state;
    const { spec, instances } = state;
    const parameters = spec.policy.router_parameters;
    const count = instances.length;
    this.needsTelemetry = kind.needs.telemetry;
    this.needsPrefix = kind.needs.prefix && state.reuse;
    this.refreshNs = this.needsTelemetry
      ? Math.round(numberOf(parameters, 'telemetry_refresh_ms', 0) * 1e6)
      : 0;
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
    this.cluster = clusterViewOf(state, links);
    this.router = kind.create({
      cluster: this.cluster,
      parameters,
      random: stream(spec.seed, `routing ${replicate}`),
    });
    this.snapshot(0);
    if (this.refreshNs > 0) state.queue.push(this.refreshNs, EventKind.refresh, 0);
  }

  /** Takes a snapshot of all instances, which were advanced to t. */
  snapshot(t: Ns): void {
    this.board.take(this.state.instances, t, this.state.fleet?.silent);
  }

  refresh(t: Ns): void {
    this.state.advanceAll(t);
    this.snapshot(t);
    this.state.queue.push(t + this.refreshNs, EventKind.refresh, 0);
  }

  /** Fills what the router may see of r at t; the columns are fresh where no refresh interval was asked for. */
  private show(r: number, t: Ns, holder: number): VisibleRequest {
    const { visible, state } = this;
    const { traffic, requests, instances } = state;
    const freshTelemetry = this.needsTelemetry && this.refreshNs === 0;
    if (freshTelemetry || this.needsPrefix) state.advanceAll(t);
    if (freshTelemetry) this.snapshot(t);
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
      for (let i = 0; i < instances.length; i++) {
        const blocks = instances[i]?.pool.match(traffic.blockIds, from, to) ?? 0;
        visible.cachedTokens[i] = Math.min(blocks * state.blockTokens, prompt);
      }
    }
    this.sheet.clear();
    return visible;
  }

  /** What the router sees of r at t; valid until the next question. */
  look(r: number, t: Ns, holder = -1): VisibleRequest {
    return this.show(r, t, holder);
  }

  /** The instance that is to compute the prompt of r. */
  prefill(r: number, t: Ns): number {
    const chosen = this.router.prefill(this.show(r, t, -1), this.board, this.sheet);
    this.state.recorder.decision(r, t, 'prefill', chosen, this.sheet);
    return chosen;
  }

  /**
   * Where r, whose prompt `holder` computed (−1: nobody yet), is to decode; `holder` where nobody takes it. The sheet holds
   * the reasons until the next question.
   */
  decode(r: number, t: Ns, holder: number): number {
    if (this.state.fleet?.anyDecodes === false) return holder;
    return this.router.decode?.(this.show(r, t, holder), this.board, this.sheet) ?? holder;
  }

  /** The router remembers what it sent to whom until the next snapshot shows it; `prefill` for r was the last question. */
  sentPrompt(chosen: number): void {
    const { board, visible } = this;
    const uncached = visible.promptTokens - (this.needsPrefix ? (visible.cachedTokens[chosen] ?? 0) : 0);
    this.sent(chosen);
    board.sentPromptTokens[chosen] = (board.sentPromptTokens[chosen] ?? 0) + uncached;
  }

  sent(chosen: number): void {
    this.board.sentRequests[chosen] = (this.board.sentRequests[chosen] ?? 0) + 1;
  }
}

function clusterViewOf({ spec, instances, blockTokens, fleet }: ClusterState, links: Links): ClusterView {
  const { cluster } = spec;
  const profiles = instances.map((i) => profile(i.cost, cluster.scheduler.max_batched_tokens));
  return {
    instances: instances.length,
    role: fleet?.role ?? cluster.instances.map((i) => i.pool),
    ...(fleet === undefined ? {} : { membership: fleet.membership }),
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
