import { type ClusterView, numberOf, type VisibleRequest } from '../routing/router.ts';
import type { AdmissionSpec } from '../run/admissionSpec.ts';
import { InputError } from '../run/inputError.ts';
import { stream } from '../run/random.ts';
import type { Admission, Passage, Refusal } from '../serving/admission/admission.ts';
import { AdmissionColumns } from '../serving/admission/admissionColumns.ts';
import { findAdmission } from '../serving/admission/admissions.ts';
import { tiersOf } from '../serving/admission/tiers.ts';
import { Phase, type RequestTable } from '../serving/requestTable.ts';
import type { Traffic } from '../traffic/traffic.ts';
import type { Ns } from '../units.ts';
import type { ClusterState } from './clusterState.ts';
import { EventKind } from './eventKinds.ts';
import { LoadMeter } from './loadMeter.ts';
import { TelemetryBoard } from './telemetryBoard.ts';

/** Given up by the client: no instance had begun with the request when its tier's deadline passed. */
const deadlineReason = 'deadline';
/** What a refused client is told while no instance serves. */
const nobodyNs = 1e9;

/**
 * The gateway's front desk: asks the admission policy about every request that asks for admission, and carries out the answer.
 *
 *   asks   ──► policy ──in──► router, instance ──► first token, end     (the desk counts requests in flight)
 *     ▲           └─refused──► waits as told and retries, or has no retries left: rejected
 *     └──────────────────────────────┘
 *
 * Latencies count from the intended arrival, waits between retries included.
 */
export class AdmissionDesk {
  readonly columns: AdmissionColumns;
  readonly load: LoadMeter;
  refusals = 0;
  readonly refusalsByReason: number[];
  retried = 0;
  /** Rejected for good since the last sample, in order. */
  readonly turnedAway: number[] = [];
  private readonly state: ClusterState;
  private readonly requests: RequestTable;
  private readonly traffic: Traffic;
  private readonly policy: Admission;
  private readonly inFlight: Int32Array;
  private readonly deadlineNs: readonly (Ns | undefined)[];
  private readonly most: number;
  private readonly jitter: number;
  private readonly jitters: { uniform(): number };
  private readonly board: TelemetryBoard;
  private readonly refreshNs: Ns;
  private staleAt: Ns = 0;
  private readonly rejected: (r: number) => void;
  private readonly passage: Passage = { request: 0, tier: 0, promptTokens: 0, at: 0 };

  constructor(
    spec: AdmissionSpec,
    state: ClusterState,
    cluster: ClusterView,
    replicate: number,
    rejected: (r: number) => void,
  ) {
    this.state = state;
    this.requests = state.requests;
    this.traffic = state.traffic;
    this.rejected = rejected;
    const kind = findAdmission(spec.policy);
    if (kind === undefined) throw new InputError(`policy.admission.policy: no policy "${spec.policy}"`);
    const { seed, slo } = state.spec;
    const tiers = tiersOf(spec, slo);
    const n = this.traffic.requests;
    this.columns = new AdmissionColumns(tiers, [...kind.reasons.map((r) => r.id), deadlineReason], n);
    this.refusalsByReason = this.columns.reasons.map(() => 0);
    this.requests.admission = this.columns;
    assignTiers(spec, this.columns, this.traffic, seed, replicate);
    this.inFlight = new Int32Array(tiers.length);
    this.deadlineNs = (spec.tiers ?? [{}]).map((t) =>
      'deadline_ms' in t && t.deadline_ms !== undefined ? Math.round(t.deadline_ms * 1e6) : undefined,
    );
    this.most = spec.retries?.most ?? 0;
    this.jitter = spec.retries?.jitter ?? 0;
    this.jitters = stream(seed, `retries ${replicate}`);
    this.board = new TelemetryBoard(cluster.instances);
    this.refreshNs = Math.round(numberOf(spec.parameters, 'telemetry_refresh_ms', 0) * 1e6);
    this.policy = kind.create({
      cluster,
      tiers,
      parameters: spec.parameters,
      random: stream(seed, `admission ${replicate}`),
      inFlight: this.inFlight,
    });
    this.load = new LoadMeter(cluster, state.replicas, this.traffic.arrivalNs[n - 1] ?? 0);
  }

  // ── At the door ───────────────────────────────────────────────────────────────────────────────

  /** Whether r, as the gateway sees it at t, is let in. What follows a refusal is done here. */
  admits(visible: VisibleRequest, t: Ns): boolean {
    const { columns } = this;
    const r = visible.request;
    const tier = columns.tier[r] ?? 0;
    const attempt = (columns.attempts[r] ?? 0) + 1;
    columns.attempts[r] = attempt;
    const deadline = this.deadlineNs[tier];
    if (attempt === 1 && deadline !== undefined) {
      this.state.queue.push((this.traffic.arrivalNs[r] ?? 0) + deadline, EventKind.deadline, r);
    }
    if (attempt === 2) this.retried++;
    this.look(t);
    const refusal = this.policy.decide(visible, tier, this.board);
    if (refusal !== undefined) {
      this.refused(r, t, refusal, attempt);
      return false;
    }
    this.inFlight[tier] = (this.inFlight[tier] ?? 0) + 1;
    this.policy.admitted?.(this.pass(r, t));
    return true;
  }

  /** The request was routed: the desk remembers what the next snapshot will show. */
  sent(r: number, instance: number): void {
    const { board } = this;
    this.columns.sentTo[r] = instance;
    board.sentRequests[instance] = (board.sentRequests[instance] ?? 0) + 1;
    board.sentPromptTokens[instance] =
      (board.sentPromptTokens[instance] ?? 0) + (this.traffic.promptTokens[r] ?? 0);
  }

  /** Whether r, whose prompt is computed, may go on to a decode instance. It is not asked to come back: the work is lost. */
  admitsDecode(visible: VisibleRequest, t: Ns): boolean {
    if (this.policy.decideDecode === undefined) return true;
    const r = visible.request;
    this.look(t);
    const refusal = this.policy.decideDecode(visible, this.columns.tier[r] ?? 0, this.board);
    if (refusal === undefined) return true;
    this.count(r, refusal);
    this.leave(r, t, Number.NaN);
    this.reject(r);
    return false;
  }

  private look(t: Ns): void {
    if (t < this.staleAt) return;
    this.state.advanceAll(t);
    this.board.take(this.state.replicas, t, this.state.fleet?.silent);
    this.staleAt = t + this.refreshNs;
  }

  private count(r: number, { reason, retryAfterNs }: Refusal): void {
    this.columns.setReason(r, reason, retryAfterNs);
    this.refusals++;
    const index = this.columns.reason[r] ?? 0;
    this.refusalsByReason[index] = (this.refusalsByReason[index] ?? 0) + 1;
  }

  private refused(r: number, t: Ns, refusal: Refusal, attempt: number): void {
    this.count(r, refusal);
    if (attempt > this.most) {
      this.reject(r);
      return;
    }
    // Where no instance is left there is no load that could say when.
    const after = Number.isFinite(refusal.retryAfterNs) ? refusal.retryAfterNs : nobodyNs;
    const wait = Math.round(after * (1 + this.jitter * this.jitters.uniform()));
    this.requests.phase[r] = Phase.away;
    this.state.queue.push(t + wait, EventKind.retry, r);
  }

  private reject(r: number): void {
    this.requests.phase[r] = Phase.rejected;
    this.turnedAway.push(r);
    this.rejected(r);
  }

  /** True where r still wants in: its client may have given up meanwhile. */
  comesBack(r: number): boolean {
    return this.requests.phase[r] === Phase.away;
  }

  /** The deadline of r has passed: it is given up unless an instance has begun with it. */
  deadline(r: number, t: Ns): void {
    const { requests, columns } = this;
    if (requests.phase[r] === Phase.waiting) {
      const replica = this.state.replica(columns.sentTo[r] ?? -1);
      replica.advanceTo(t);
      if (!replica.withdraw(r, t)) return;
      this.leave(r, t, Number.NaN);
    } else if (requests.phase[r] !== Phase.away) return;
    this.count(r, { reason: deadlineReason, retryAfterNs: Number.NaN });
    this.reject(r);
  }

  // ── Inside ────────────────────────────────────────────────────────────────────────────────────

  private pass(r: number, at: Ns): Passage {
    const { passage } = this;
    passage.request = r;
    passage.tier = this.columns.tier[r] ?? 0;
    passage.promptTokens = this.traffic.promptTokens[r] ?? 0;
    passage.at = at;
    return passage;
  }

  firstToken(r: number, at: Ns, ttftMs: number): void {
    this.policy.firstToken?.(this.pass(r, at), ttftMs);
  }

  finished(r: number, at: Ns, tpotMs: number): void {
    this.leave(r, at, tpotMs);
  }

  /** No instance is left for r, and none will come. */
  abandoned(r: number, t: Ns): void {
    this.leave(r, t, Number.NaN);
  }

  private leave(r: number, at: Ns, tpotMs: number): void {
    const passage = this.pass(r, at);
    this.inFlight[passage.tier] = (this.inFlight[passage.tier] ?? 0) - 1;
    const generated = Number.isNaN(this.requests.finishNs[r] ?? Number.NaN)
      ? (this.requests.generated[r] ?? 0)
      : (this.traffic.outputTokens[r] ?? 0);
    this.policy.left?.(passage, generated, tpotMs);
  }

  /** Requests of each tier inside, for tests. */
  get inside(): readonly number[] {
    return [...this.inFlight];
  }
}

/** By the spec's shares, drawn request by request so that every variant sees the same; else by the traffic's priority. */
function assignTiers(
  spec: AdmissionSpec,
  columns: AdmissionColumns,
  traffic: Traffic,
  seed: number,
  replicate: number,
): void {
  const last = columns.tiers.length - 1;
  const mix = spec.tier_mix;
  const random = stream(seed, `tiers ${replicate}`);
  const total = mix?.reduce((sum, share) => sum + share, 0) ?? 0;
  for (let r = 0; r < traffic.requests; r++) {
    if (mix === undefined) {
      columns.tier[r] = Math.min(last, traffic.priority[r] ?? 0);
      continue;
    }
    let left = random.uniform() * total;
    let tier = 0;
    while (tier < last && left >= (mix[tier] ?? 0)) left -= mix[tier++] ?? 0;
    columns.tier[r] = tier;
  }
}
