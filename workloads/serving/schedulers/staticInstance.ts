import type { Sketch } from '../../metrics/sketch.ts';
import type { Blocks, Ns, Tokens } from '../../units.ts';
import { FinishQueue } from '../finishQueue.ts';
import { Instance } from '../instance.ts';
import type { InstanceEvents, InstanceSettings } from '../instanceSettings.ts';
import type { ReplicaTotals } from '../replica.ts';
import { Phase, type RequestTable } from '../requestTable.ts';
import type { BucketQueue } from './bucketQueue.ts';
import { ChunkedPrefill } from './chunkedPrefill.ts';

/**
 * One model replica with static batching: it waits for a batch, pads it to the longest prompt, computes all prompts in one
 * pass and decodes until the longest answer ends. Rows whose answer is over are still computed; no request joins.
 *
 *   prompt   ■■■■····  ■■■■■■■■  ■■······      · padding
 *   decode   ■■■■····  ■■■■■■■■  ■■■■■···      the batch ends with its longest row
 *
 * KV memory is reserved for every row at the longest prompt + the longest answer that a request of the batch may ask for:
 * the output length of the traffic stands for `max_tokens`, as where clients ignore the end of sequence. So no request is
 * preempted. Tokens are streamed: a request is done with its own last token. No prefix cache: rows are contiguous.
 */
export class StaticInstance extends Instance {
  /** Tokens (prompt tokens and decode rows) that were computed, and those of them that a request had asked for. */
  computedTokens: Tokens = 0;
  wantedTokens: Tokens = 0;
  /** Blocks of the batch. */
  reserved: Blocks = 0;
  private readonly queue: BucketQueue;
  /** Rows of the batch, padding included, and its longest prompt. */
  private width = 0;
  private longestPrompt: Tokens = 0;
  private promptTokens: Tokens = 0;
  /** Tokens that each row has produced; 0 while the prompts are computed. */
  private step = 0;
  private live = 0;
  private decodePasses = 0;
  private readonly ends: FinishQueue;

  constructor(
    settings: InstanceSettings,
    requests: RequestTable,
    events: InstanceEvents,
    itlMs: Sketch,
    queue: BucketQueue,
  ) {
    const order = { reorders: false, ages: false, queue: () => queue };
    super({ ...settings, scheduler: new ChunkedPrefill(order) }, requests, events, itlMs);
    this.queue = queue;
    this.ends = new FinishQueue(64);
  }

  override get prefills(): number {
    return this.step === 0 ? this.batch.length : 0;
  }
  override get decoding(): number {
    return this.step === 0 ? 0 : this.live;
  }
  /** Of the requests that still decode; the rows that are computed are padded. */
  override get decodeContext(): Tokens {
    if (this.step === 0) return 0;
    let context = 0;
    const { requests } = this;
    for (let r = this.batch.first; r >= 0; r = requests.runAfter[r] ?? -1) {
      context += (requests.traffic.promptTokens[r] ?? 0) + this.step;
    }
    return context;
  }
  override generatedSoFar(_r: number): Tokens {
    return this.step;
  }

  override totals(end: Ns): ReplicaTotals {
    const padding = { computed: this.computedTokens, wanted: this.wantedTokens };
    return { ...super.totals(end), padding };
  }

  override advanceTo(t: Ns): void {
    for (;;) {
      if (!this.flying) {
        if (this.width === 0) {
          const start = Math.max(this.now, this.queue.ready);
          if (start >= t) return;
          this.now = start;
        } else if (this.now >= t) return;
        this.begin(this.now);
      }
      if (this.endNs > t) return;
      this.complete();
    }
  }

  protected override begin(start: Ns): void {
    const { shape } = this;
    if (this.width === 0) this.form(start);
    const decodes = this.step > 0;
    const prefill = decodes ? 0 : this.width * this.longestPrompt;
    shape.prefillTokens = prefill;
    shape.prefillPairs = decodes ? 0 : (prefill * (this.longestPrompt + 1)) / 2;
    shape.prefillContextTokens = prefill;
    shape.prefillSequences = decodes ? 0 : this.width;
    shape.prefillEnds = shape.prefillSequences;
    shape.decodeSequences = decodes ? this.width : 0;
    shape.decodeContextTokens = decodes ? this.width * (this.longestPrompt + this.step) : 0;
    shape.decodeLongestTokens = decodes ? this.longestPrompt + this.step : 0;
    this.flying = true;
    this.startNs = start;
    this.endNs = start + this.cost.iterationNs(shape);
    this.rows.begin(start, prefill, shape.decodeSequences, shape.decodeContextTokens, this.pool.used);
  }

  /** Takes a batch out of the queue, as many in order as there is memory for. */
  private form(start: Ns): void {
    const { queue, requests, pool } = this;
    const { promptTokens, outputTokens } = requests.traffic;
    const bucket = queue.bucketAt(start);
    const most = Math.min(queue.batchOf(bucket), this.settings.maxSequences);
    let longestOutput = 0;
    this.longestPrompt = 0;
    this.promptTokens = 0;
    this.reserved = 0;
    this.queueChanges(start);
    for (let r = queue.firstOf(bucket); r >= 0 && this.width < most; r = queue.firstOf(bucket)) {
      const prompt = Math.max(this.longestPrompt, promptTokens[r] ?? 0);
      const output = Math.max(longestOutput, outputTokens[r] ?? 0);
      const blocks = (this.width + 1) * Math.ceil((prompt + output - 1) / this.settings.blockTokens);
      if (blocks > pool.available) break;
      queue.takeFrom(bucket);
      this.longestPrompt = prompt;
      longestOutput = output;
      this.promptTokens += promptTokens[r] ?? 0;
      this.reserved = blocks;
      this.width++;
      requests.phase[r] = Phase.prefilling;
      requests.scheduledNs[r] = start;
      requests.prefillInstance[r] = this.index;
      this.batch.append(r);
      this.ends.push(outputTokens[r] ?? 0, r);
    }
    pool.take(this.reserved);
    if (pool.used > this.peakUsed) this.peakUsed = pool.used;
    this.step = 0;
    this.live = this.width;
    this.rows.batchChanged = true;
  }

  protected override complete(): void {
    const { requests } = this;
    const end = this.endNs;
    const duration = end - this.startNs;
    this.flying = false;
    this.now = end;
    this.busyNs += duration;
    this.passesDone++;
    this.rows.passed(1, end);
    this.cost.work(this.shape, this.workOut);
    this.flops += this.workOut.flops;
    this.bytes += this.workOut.bytes;
    if (this.step === 0) {
      this.computedTokens += this.shape.prefillTokens;
      this.wantedTokens += this.promptTokens;
      this.prefillRate = (this.promptTokens / duration) * 1e9;
      this.pendingPrefill -= this.promptTokens;
      this.promptTokensDone += this.promptTokens;
      this.prefillsDone += this.width;
      this.outputTokensDone += this.width;
      for (let r = this.batch.first; r >= 0; r = requests.runAfter[r] ?? -1) {
        requests.phase[r] = Phase.decoding;
        requests.decodeInstance[r] = this.index;
        requests.firstTokenNs[r] = end;
        requests.lastTokenNs[r] = end;
        requests.joinPass[r] = this.decodePasses;
        this.events.firstToken(r, end, this);
      }
      this.rows.batchChanged = true;
    } else {
      this.computedTokens += this.width;
      this.wantedTokens += this.live;
      this.decodePassNs = duration;
      this.outputTokensDone += this.live;
      this.gaps?.passed(++this.decodePasses, duration, end, this.batch.first);
      this.itlMs.add(duration / 1e6, this.live);
    }
    this.step++;
    while (this.ends.next === this.step) this.finish(this.ends.pop(), end);
    if (this.live > 0) return;
    this.pool.give(this.reserved);
    this.reserved = 0;
    this.width = 0;
    this.step = 0;
  }

  private finish(r: number, end: Ns): void {
    this.live--;
    this.gaps?.collect(r, this.decodePasses);
    this.batch.remove(r);
    this.requests.generated[r] = this.step;
    this.requests.lastTokenNs[r] = end;
    this.end(r, end);
  }
}
