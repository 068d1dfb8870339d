import type { ScoreSheet } from '../routing/router.ts';
import { findRouter } from '../routing/routers.ts';
import type { TierKind } from '../run/kvSpec.ts';
import type { RunSpec, SloSpec } from '../run/spec.ts';
import {
  absentInt32,
  admissionColumns,
  answerColumns,
  clientColumns,
  complexityColumns,
  decisionsTable,
  type EventSink,
  eventsTable,
  iterationsTable,
  kvTable,
  requestsTable,
  samplesTable,
  tieredKvTable,
} from '../run/tables.ts';
import type { RequestTable } from '../serving/requestTable.ts';
import type { TierEvent, TierEvents } from '../serving/tiers/tierEvents.ts';
import type { Blocks, Bytes, Ns, Tokens } from '../units.ts';
import { TableWriter } from './tableWriter.ts';

export type RequestStatus = 'completed' | 'rejected' | 'failed' | 'unfinished';
export type KvEvent = 'transfer' | 'migrate' | 'prefix' | 'preempt' | 'swap_out' | 'swap_in' | 'evict';
/** `lost` and `bounce` concern a request, the others an instance. */
export type ClusterEvent =
  | 'crash'
  | 'detected'
  | 'recover'
  | 'serving'
  | 'slow'
  | 'link'
  | 'drain'
  | 'role'
  | 'resume'
  | 'off'
  | 'scale_up'
  | 'scale_down'
  | 'lost'
  | 'bounce';
export type DecisionStage = 'prefill' | 'decode' | 'migrate';

/** Whether a completed request met every SLO given, its tier's where it has one. A single token has no TPOT and so meets any. */
export function isGood(given: SloSpec, requests: RequestTable, r: number): boolean {
  const { admission } = requests;
  const slo = admission === undefined ? given : (admission.tiers[admission.tier[r] ?? 0]?.slo ?? given);
  const arrival = requests.traffic.arrivalNs[r] ?? 0;
  const first = requests.firstTokenNs[r] ?? Number.NaN;
  const finish = requests.finishNs[r] ?? Number.NaN;
  const n = requests.outputTokens[r] ?? 0;
  if (slo.ttft_ms !== undefined && !((first - arrival) / 1e6 <= slo.ttft_ms)) return false;
  if (slo.e2e_ms !== undefined && !((finish - arrival) / 1e6 <= slo.e2e_ms)) return false;
  return slo.tpot_ms === undefined || n < 2 || (finish - first) / (n - 1) / 1e6 <= slo.tpot_ms;
}

/** Writes what happens into the tables of the run bundle, as far as the spec's detail asks for. */
export class Recorder implements TierEvents {
  readonly sink: EventSink;
  private readonly spec: RunSpec;
  private readonly requests: TableWriter;
  private readonly iterations: TableWriter;
  private readonly decisions: TableWriter;
  private readonly kv: TableWriter;
  private readonly tiered: boolean;
  private readonly samples: TableWriter;
  private readonly events: TableWriter;
  private readonly everyNthDecision: number;
  /** The table tells answers apart by their tokens. */
  private readonly hasAnswers: boolean;
  private readonly hasSlo: boolean;
  private replicate = 0;

  constructor(spec: RunSpec, sink: EventSink) {
    this.spec = spec;
    this.sink = sink;
    this.hasAnswers = spec.cluster.instances.some(({ serves }) => serves === 'gpu');
    const columns = [
      ...requestsTable.columns,
      ...(spec.policy.admission === undefined ? [] : admissionColumns),
      ...(spec.policy.complexity === undefined ? [] : complexityColumns),
      ...(this.hasAnswers ? answerColumns : []),
      ...(spec.engine === 'http' ? clientColumns : []),
    ];
    this.requests = new TableWriter({ ...requestsTable, columns }, sink);
    this.iterations = new TableWriter(iterationsTable, sink);
    this.decisions = new TableWriter(decisionsTable(findRouter(spec.policy.router)?.terms ?? []), sink);
    this.tiered = spec.cluster.kv.tiers !== undefined;
    this.kv = new TableWriter(this.tiered ? tieredKvTable : kvTable, sink);
    this.samples = new TableWriter(samplesTable, sink);
    this.events = new TableWriter(eventsTable, sink);
    const detail = spec.detail.decisions;
    this.everyNthDecision = detail === 'all' ? 1 : detail === 'none' ? 0 : detail;
    const { ttft_ms, tpot_ms, e2e_ms } = spec.slo;
    this.hasSlo = ttft_ms !== undefined || tpot_ms !== undefined || e2e_ms !== undefined;
  }

  startReplicate(index: number): void {
    this.replicate = index;
  }

  get wantsPasses(): boolean {
    return this.spec.detail.iterations === 'all' && this.iterations.wanted;
  }

  request(requests: RequestTable, r: number, status: RequestStatus): void {
    if (this.spec.detail.requests === 'none' || !this.requests.wanted) return;
    const w = this.requests;
    const traffic = requests.traffic;
    const arrival = traffic.arrivalNs[r] ?? 0;
    const scheduled = requests.scheduledNs[r] ?? Number.NaN;
    const first = requests.firstTokenNs[r] ?? Number.NaN;
    const finish = requests.finishNs[r] ?? Number.NaN;
    const n = requests.outputTokens[r] ?? 0;
    const prefill = requests.prefillInstance[r] ?? -1;
    const decode = requests.decodeInstance[r] ?? -1;
    w.row();
    w.number(0, this.replicate);
    w.number(1, r);
    w.text(2, status);
    w.number(3, arrival);
    w.number(4, scheduled);
    w.number(5, first);
    w.number(6, finish);
    w.number(7, traffic.promptTokens[r] ?? 0);
    w.number(8, n);
    const { cachedReported } = requests;
    const knowsCached = cachedReported === undefined ? !Number.isNaN(scheduled) : cachedReported[r] === 1;
    w.number(9, knowsCached ? (requests.cachedTokens[r] ?? 0) : absentInt32);
    w.number(10, prefill < 0 ? absentInt32 : prefill);
    w.number(11, decode < 0 ? absentInt32 : decode);
    w.number(12, requests.transferNs[r] ?? Number.NaN);
    w.number(13, requests.migrations[r] ?? 0);
    w.number(14, requests.preemptions[r] ?? 0);
    // A request that was turned away after its prefill has a first token, but it was not served.
    const served = status !== 'rejected';
    w.number(15, served ? (first - arrival) / 1e6 : Number.NaN);
    w.number(16, n < 2 ? Number.NaN : (finish - first) / (n - 1) / 1e6);
    w.number(17, (finish - arrival) / 1e6);
    w.number(18, served ? (scheduled - arrival) / 1e6 : Number.NaN);
    w.number(19, this.hasSlo ? (status === 'completed' && isGood(this.spec.slo, requests, r) ? 1 : 0) : 2);
    const { admission, complexity } = requests;
    let column = requestsTable.columns.length;
    if (admission !== undefined) {
      w.text(column++, admission.tiers[admission.tier[r] ?? 0]?.name ?? '');
      w.number(column++, admission.attempts[r] ?? 0);
      w.text(column++, admission.reasonOf(r));
      w.number(column++, (admission.retryAfterNs[r] ?? Number.NaN) / 1e6);
    }
    if (complexity !== undefined) {
      const answered = this.spec.cluster.instances[decode];
      w.text(column++, complexity.ladder[complexity.truth[r] ?? 0] ?? '');
      w.text(column++, complexity.ladder[complexity.seen[r] ?? 0] ?? '');
      w.text(column++, answered === undefined ? '' : (answered.model ?? this.spec.cluster.model));
    }
    if (this.hasAnswers) {
      const hash = requests.answerHash?.[r] ?? -1;
      w.number(column++, hash < 0 ? absentInt32 : hash);
    }
    requests.client?.write(
      r,
      column,
      (at, value) => w.number(at, value),
      (at, value) => w.text(at, value),
    );
  }

  passes(
    instance: number,
    start: Ns,
    end: Ns,
    count: number,
    prefillTokens: Tokens,
    decoding: number,
    context: Tokens,
    kvBlocks: Blocks,
  ): void {
    const w = this.iterations;
    w.row();
    w.number(0, this.replicate);
    w.number(1, instance);
    w.number(2, start);
    w.number(3, end);
    w.number(4, count);
    w.number(5, prefillTokens);
    w.number(6, decoding);
    w.number(7, context);
    w.number(8, kvBlocks);
  }

  wantsDecision(request: number): boolean {
    return this.everyNthDecision > 0 && this.decisions.wanted && request % this.everyNthDecision === 0;
  }

  decision(request: number, at: Ns, stage: DecisionStage, chosen: number, sheet: ScoreSheet): void {
    if (!this.wantsDecision(request)) return;
    const w = this.decisions;
    for (let i = 0; i < sheet.candidate.length; i++) {
      if (sheet.candidate[i] !== 1) continue;
      w.row();
      w.number(0, this.replicate);
      w.number(1, request);
      w.number(2, at);
      w.text(3, stage);
      w.number(4, i);
      w.number(5, i === chosen ? 1 : 0);
      w.number(6, sheet.total[i] ?? Number.NaN);
      for (let t = 0; t < sheet.termCount; t++) {
        w.number(7 + t, sheet.terms[i * sheet.termCount + t] ?? Number.NaN);
      }
    }
  }

  kvEvent(
    at: Ns,
    kind: KvEvent | TierEvent,
    request: number,
    from: number,
    to: number,
    blocks: Blocks,
    bytes: Bytes,
    duration: Ns,
  ): void {
    const w = this.kv;
    w.row();
    w.number(0, this.replicate);
    w.number(1, at);
    w.text(2, kind);
    w.number(3, request < 0 ? absentInt32 : request);
    w.number(4, from < 0 ? absentInt32 : from);
    w.number(5, to < 0 ? absentInt32 : to);
    w.number(6, blocks);
    w.number(7, bytes);
    w.number(8, duration);
    if (this.tiered) w.text(9, '');
  }

  tierEvent(
    at: Ns,
    kind: TierEvent,
    tier: TierKind | '',
    request: number,
    from: number,
    to: number,
    blocks: Blocks,
    bytes: Bytes,
    duration: Ns,
  ): void {
    this.kvEvent(at, kind, request, from, to, blocks, bytes, duration);
    if (this.tiered) this.kv.text(9, tier);
  }

  /** What concerns an instance is a mark in the samples too, for the charts. */
  clusterEvent(
    at: Ns,
    kind: ClusterEvent,
    instance: number,
    pool: string,
    request: number,
    value: number,
    detail: string,
  ): void {
    const w = this.events;
    w.row();
    w.number(0, this.replicate);
    w.number(1, at);
    w.text(2, kind);
    w.number(3, instance < 0 ? absentInt32 : instance);
    w.text(4, pool);
    w.number(5, request < 0 ? absentInt32 : request);
    w.number(6, value);
    w.text(7, detail);
    if (request < 0) this.sample(at, `event:${kind}`, 'cluster_event', instance);
  }

  get wantsSamples(): boolean {
    return this.samples.wanted;
  }

  /** Absent values are left out. */
  sample(at: Ns, source: string, metric: string, value: number): void {
    if (Number.isNaN(value) || !this.samples.wanted) return;
    const w = this.samples;
    w.row();
    w.number(0, this.replicate);
    w.number(1, at);
    w.text(2, source);
    w.text(3, metric);
    w.number(4, value);
  }

  flush(): void {
    this.requests.flush();
    this.iterations.flush();
    this.decisions.flush();
    this.kv.flush();
    this.samples.flush();
    this.events.flush();
  }
}
