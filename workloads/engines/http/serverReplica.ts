import type { ClusterState } from '../../cluster/clusterState.ts';
import type { ReplicaEvents } from '../../cluster/replicaMaker.ts';
import type { Profile } from '../../cost/costModels.ts';
import type { Sketch } from '../../metrics/sketch.ts';
import type { PoolRole } from '../../run/poolRole.ts';
import { meanOfLongest } from '../../serving/collectedGaps.ts';
import type { Observation, Replica, ReplicaTotals } from '../../serving/replica.ts';
import { Phase } from '../../serving/requestTable.ts';
import type { Ns, Tokens } from '../../units.ts';
import type { HttpClient } from './httpClient.ts';
import { isMismatch } from './prompts.ts';
import { type LinkEvents, ReplicaPrefixes } from './replicaPrefixes.ts';
import type { ServerLink, Watch } from './serverLink.ts';

/** Readings older than this say nothing about now. */
const staleAfter: Ns = 5e9;

/** What all replicas of one replicate share. */
export interface ServerGroup {
  readonly state: ClusterState;
  readonly events: ReplicaEvents;
  readonly client: HttpClient;
  /** Takes gaps between tokens, ms; and gaps between events as they came. */
  readonly itlMs: Sketch;
  readonly chunkMs: Sketch;
  /** Where the replicate's clock starts on the client's. */
  readonly originNs: Ns;
  /** The whole HTTP message of request r for this server. */
  message(r: number, link: ServerLink): Uint8Array;
  /** The tokens of whole blocks as they are sent to this server. */
  blocks(ids: Int32Array, from: number, to: number, link: ServerLink): Uint32Array;
  readonly counts: GroupCounts;
}

/** Counted over the run. */
export interface GroupCounts {
  failedTokens: number;
  lengthMismatches: number;
  promptMismatches: number;
  readonly failures: Map<string, number>;
}

/** One request of a server that isn't over. */
interface Flight {
  readonly r: number;
  readonly row: number;
  /** Prompt tokens that the server probably has to compute. */
  readonly uncached: Tokens;
  readonly predicted: Tokens;
  tokens: Tokens;
  lastNs: Ns;
  /** Gap, tokens, gap, tokens, … */
  readonly gaps: number[];
}

/**
 * A server as a replica: it is told and observed. What it has of ours is counted here, exactly; what others send there shows
 * in its metrics, where it has any; the prefix index is our own, corrected by its answers. Everything else is NaN.
 */
export class ServerReplica implements Replica {
  readonly index: number;
  readonly role: PoolRole;
  readonly link: ServerLink;
  readonly prefixes: ReplicaPrefixes;
  readonly peaks = undefined;
  private readonly group: ServerGroup;
  private readonly watch: Watch;
  private readonly idle: Profile | undefined;
  private readonly took: (r: number, row: number, replica: ServerReplica) => void;
  private readonly flights = new Map<number, Flight>();
  private readonly keepsGaps: boolean;
  private waiting = 0;
  private pendingPrefill: Tokens = 0;
  private decodeContext: Tokens = 0;
  private completed = 0;
  private outputTokens: Tokens = 0;
  private firstTokens: Tokens = 0;
  private promptTokens: Tokens = 0;
  private cachedTokens: Tokens = 0;
  private prefillRate = Number.NaN;
  private tokenNs: Ns = Number.NaN;
  /** Requests of others there, at the last look. */
  private foreign = 0;
  private lookedNs: Ns = Number.NaN;

  constructor(
    index: number,
    link: ServerLink,
    group: ServerGroup,
    watch: Watch,
    idle: Profile | undefined,
    events: LinkEvents | undefined,
    took: (r: number, row: number, replica: ServerReplica) => void,
  ) {
    this.index = index;
    this.role = link.instance.pool;
    this.link = link;
    this.group = group;
    this.watch = watch;
    this.idle = idle;
    this.took = took;
    this.keepsGaps = group.state.spec.detail.token_gaps !== 'none';
    this.prefixes = new ReplicaPrefixes(group.state, link, events, (ids, from, to) =>
      group.blocks(ids, from, to, link),
    );
  }

  advanceTo(): void {}

  get outstanding(): number {
    return this.flights.size;
  }

  submit(r: number, t: Ns): void {
    const { group, index, prefixes } = this;
    const { requests, traffic } = group.state;
    const predicted = prefixes.predict(r);
    prefixes.sent(r);
    const again = (requests.admission?.attempts[r] ?? 1) > 1 || (requests.retries[r] ?? 0) > 0;
    // A request that comes for the first time is due when it was meant to arrive, however late this thread is.
    const due = again ? t : (traffic.arrivalNs[r] ?? t);
    requests.phase[r] = Phase.waiting;
    requests.prefillInstance[r] = requests.decodeInstance[r] = index;
    const row = group.client.submit(
      index,
      group.message(r, this.link),
      due + group.originNs,
      t + group.originNs,
    );
    const uncached = Math.max(1, (traffic.promptTokens[r] ?? 0) - predicted);
    this.took(r, row, this);
    this.flights.set(row, { r, row, uncached, predicted, tokens: 0, lastNs: Number.NaN, gaps: [] });
    this.waiting++;
    this.pendingPrefill += uncached;
  }

  withdraw(r: number, t: Ns): boolean {
    for (const flight of this.flights.values()) {
      if (flight.r !== r) continue;
      if (flight.tokens > 0) return false;
      this.group.client.withdraw(flight.row, t + this.group.originNs);
      return true;
    }
    return false;
  }

  // ---- What the client tells; times on the host's clock

  tokens(row: number, time: Ns, count: Tokens): void {
    const flight = this.flights.get(row);
    if (flight === undefined) return;
    const { group } = this;
    const { requests, traffic } = group.state;
    const at = time - group.originNs;
    if (flight.tokens === 0) {
      this.waiting--;
      this.pendingPrefill -= flight.uncached;
      this.decodeContext += traffic.promptTokens[flight.r] ?? 0;
      this.firstTokens++;
      requests.firstTokenNs[flight.r] = at;
      requests.phase[flight.r] = Phase.decoding;
      this.measurePrefill(flight, time);
      group.events.firstToken(flight.r, at, this);
    } else {
      const gap = time - flight.lastNs;
      group.itlMs.add(gap / count / 1e6, count);
      group.chunkMs.add(gap / 1e6);
      if (this.keepsGaps) flight.gaps.push(gap / count, count);
      const each = gap / count;
      this.tokenNs = Number.isNaN(this.tokenNs) ? each : this.tokenNs + 0.05 * (each - this.tokenNs);
    }
    flight.tokens += count;
    flight.lastNs = time;
    this.outputTokens += count;
    this.decodeContext += count;
  }

  /** Uncached prompt tokens per second, from requests that met no other prompt: queueing would hide the rate. */
  private measurePrefill(flight: Flight, time: Ns): void {
    if (this.pendingPrefill > 0) return;
    const seconds = (time - (this.group.client.records.sent[flight.row] ?? Number.NaN)) / 1e9;
    const rate = flight.uncached / seconds;
    if (!(rate > 0) || !Number.isFinite(rate)) return;
    this.prefillRate = Number.isNaN(this.prefillRate)
      ? rate
      : this.prefillRate + 0.2 * (rate - this.prefillRate);
  }

  over(row: number): void {
    const flight = this.flights.get(row);
    if (flight === undefined) return;
    this.flights.delete(row);
    const { group } = this;
    const { requests, traffic } = group.state;
    const { records } = group.client;
    const { r } = flight;
    const prompt = traffic.promptTokens[r] ?? 0;
    if (flight.tokens === 0) {
      this.waiting--;
      this.pendingPrefill -= flight.uncached;
    } else this.decodeContext -= prompt + flight.tokens;
    const ended = (records.ended[row] ?? 0) - group.originNs;
    const outcome = records.outcomeOf(row);
    const reason = records.notes.get(row)?.failure ?? outcome;
    if (outcome === 'withdrawn') return;
    if (outcome === 'rejected') {
      this.count(reason);
      group.events.refused(r, ended, reason);
      return;
    }
    this.learn(flight, prompt);
    requests.lastTokenNs[r] = flight.lastNs - group.originNs;
    if (outcome === 'failed' || flight.tokens === 0) {
      const why = outcome === 'failed' ? reason : 'an answer without a token';
      this.count(why);
      group.counts.failedTokens += flight.tokens;
      this.outputTokens -= flight.tokens;
      group.events.failed(r, ended, `${this.link.instance.name}: ${why}`);
      return;
    }
    this.completed++;
    const asked = traffic.outputTokens[r] ?? 0;
    if (isMismatch(asked, flight.tokens)) group.counts.lengthMismatches++;
    requests.outputTokens[r] = flight.tokens;
    requests.generated[r] = flight.tokens;
    requests.finishNs[r] = flight.lastNs - group.originNs;
    requests.phase[r] = Phase.completed;
    this.keepTbt10(flight);
    group.events.finished(r, flight.lastNs - group.originNs, this, ended);
    group.state.wake();
  }

  private count(reason: string): void {
    const { failures } = this.group.counts;
    // Numbers differ from request to request; the kind is what counts.
    const kind = reason.replace(/\d+ tokens/, 'n tokens');
    failures.set(kind, (failures.get(kind) ?? 0) + 1);
  }

  /** What the server's usage says of the prompt. */
  private learn(flight: Flight, prompt: Tokens): void {
    const { records } = this.group.client;
    const { requests } = this.group.state;
    const reported = records.promptTokens[flight.row] ?? Number.NaN;
    if (!Number.isNaN(reported) && isMismatch(prompt, reported)) this.group.counts.promptMismatches++;
    const cached = records.cachedTokens[flight.row] ?? Number.NaN;
    if (Number.isNaN(cached)) return;
    requests.cachedTokens[flight.r] = cached;
    if (requests.cachedReported !== undefined) requests.cachedReported[flight.r] = 1;
    this.promptTokens += Number.isNaN(reported) ? prompt : reported;
    this.cachedTokens += cached;
    this.prefixes.answered(flight.r, flight.predicted, cached);
  }

  private keepTbt10({ r, gaps, tokens }: Flight): void {
    if (!this.keepsGaps || tokens < 2) return;
    const { requests } = this.group.state;
    const found = requests.collectedGaps;
    found.length = 0;
    found.reserve(gaps.length / 2);
    for (let i = 0; i < gaps.length; i += 2) found.push(gaps[i] ?? 0, gaps[i + 1] ?? 0);
    requests.tbt10Ns[r] = meanOfLongest(found.gaps, found.counts, found.length, Math.ceil((tokens - 1) / 10));
  }

  // ---- What routers see

  /** A reading holds others' requests too: what of it wasn't ours at that moment is taken to be there still. */
  private look(): void {
    const { latest } = this.watch;
    if (latest === undefined || latest.takenNs === this.lookedNs) return;
    this.lookedNs = latest.takenNs;
    const { running, waiting } = latest.readings;
    const all = running + (Number.isNaN(waiting) ? 0 : waiting);
    this.foreign = Number.isNaN(all) ? 0 : Math.max(0, all - this.flights.size);
  }

  observe(into: Observation, t: Ns): void {
    this.look();
    const { latest } = this.watch;
    const fresh = latest !== undefined && t + this.group.originNs - latest.takenNs < staleAfter;
    const foreign = fresh ? this.foreign : 0;
    const decoding = this.flights.size - this.waiting;
    const waits = fresh ? latest.readings.waiting : Number.NaN;
    // Of ours before their first token, those that the server says to queue; without metrics all of them may wait.
    into.waiting = Number.isNaN(waits) ? this.waiting : Math.max(0, Math.min(this.waiting, waits));
    into.running = decoding + (this.waiting - into.waiting) + foreign;
    into.ready = 0;
    into.decoding = decoding;
    into.decodeContext = this.decodeContext;
    into.pendingPrefill = Math.max(0, this.pendingPrefill);
    const total = this.prefixes.total;
    into.kvTotal = Number.isFinite(total) ? total : Number.NaN;
    // Where the server doesn't say, what our own requests hold there: others' and idle prefixes are not in it.
    const said = fresh ? latest.readings.kvUse * into.kvTotal : Number.NaN;
    const own = (this.decodeContext + Math.max(0, this.pendingPrefill)) / this.group.state.blockTokens;
    into.kvUsed = Number.isNaN(said) ? own : said;
    into.kvCached = Number.NaN;
    into.prefillRate = this.prefillRate;
    into.decodePassNs = this.tokenNs;
    into.busyNs = Number.NaN;
    into.busyUntilNs = Number.NaN;
    into.outputTokens = this.outputTokens;
    into.firstTokens = this.firstTokens;
    into.flops = Number.NaN;
    into.bytes = Number.NaN;
  }

  profile(): Profile | undefined {
    return this.idle;
  }

  /** Cached tokens of all prompts whose answers reported them, 0..1; NaN where none did. */
  get hitRate(): number {
    return this.promptTokens > 0 ? this.cachedTokens / this.promptTokens : Number.NaN;
  }

  totals(): ReplicaTotals {
    const { blockTokens } = this.group.state;
    const kv = this.prefixes.total;
    return {
      completed: this.completed,
      outputTokens: this.outputTokens,
      busyNs: Number.NaN,
      kvBlocks: Number.isFinite(kv) ? kv : Number.NaN,
      kvPeak: Number.NaN,
      // Only of prompts whose cached tokens are known.
      blockRefs: Math.round(this.promptTokens / blockTokens),
      hits: Math.round(this.cachedTokens / blockTokens),
      evictions: Number.NaN,
      stranded: 0,
      queueIntegral: Number.NaN,
      queuePeak: Number.NaN,
    };
  }

  close(t: Ns): void {
    for (const { row } of [...this.flights.values()])
      this.group.client.withdraw(row, t + this.group.originNs);
    this.flights.clear();
  }
}
