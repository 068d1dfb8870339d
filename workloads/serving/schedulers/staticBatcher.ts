import type { Blocks, Ns, Tokens } from '../../units.ts';
import type { Batcher } from '../batcher.ts';
import type { BatchState } from '../batchState.ts';
import { FinishQueue } from '../finishQueue.ts';
import { PassPlan, type PassResult } from '../passPlan.ts';
import type { ReplicaTotals } from '../replica.ts';
import { Phase } from '../requestTable.ts';
import type { Residents } from '../residents.ts';
import type { BucketQueue } from './bucketQueue.ts';

/**
 * Static batching: it waits for a batch, pads it to the longest prompt, computes all prompts in one
 * pass and decodes until the longest answer ends. Rows whose answer is over are still computed; no request joins.
 *
 *   prompt   ■■■■····  ■■■■■■■■  ■■······      · padding
 *   decode   ■■■■····  ■■■■■■■■  ■■■■■···      the batch ends with its longest row
 *
 * KV memory is reserved for every row at the longest prompt + the longest answer that a request of the batch may ask for:
 * the output length of the traffic stands for `max_tokens`, as where clients ignore the end of sequence. So no request is
 * preempted. Tokens are streamed: a request is done with its own last token. No prefix cache: rows are contiguous.
 */
export class StaticBatcher implements Batcher {
  readonly state: BatchState;
  readonly plan = new PassPlan();
  /** Blocks of the batch. */
  reserved: Blocks = 0;
  /** Tokens (prompt tokens and decode rows) that were computed, and those of them that a request had asked for. */
  private computedTokens: Tokens = 0;
  private wantedTokens: Tokens = 0;
  private readonly residents: Residents;
  private readonly queue: BucketQueue;
  /** Rows of the batch, padding included, and its longest prompt. */
  private width = 0;
  private longestPrompt: Tokens = 0;
  private promptTokens: Tokens = 0;
  /** Tokens that each row has produced; 0 while the prompts are computed. */
  private step = 0;
  private live = 0;
  private decodePasses = 0;
  private readonly ends = new FinishQueue(64);

  /** `queue` is the waiting queue of the state's scheduler. */
  constructor(state: BatchState, residents: Residents, queue: BucketQueue) {
    this.state = state;
    this.residents = residents;
    this.queue = queue;
  }

  get prefills(): number {
    return this.step === 0 ? this.state.batch.length : 0;
  }

  get decoding(): number {
    return this.step === 0 ? 0 : this.live;
  }

  /** Of the requests that still decode; the rows that are computed are padded. */
  get decodeContext(): Tokens {
    if (this.step === 0) return 0;
    let context = 0;
    const { requests, batch } = this.state;
    for (let r = batch.first; r >= 0; r = requests.runAfter[r] ?? -1) {
      context += (requests.traffic.promptTokens[r] ?? 0) + this.step;
    }
    return context;
  }

  generatedSoFar(_r: number): Tokens {
    return this.step;
  }

  totals(): Pick<ReplicaTotals, 'padding'> {
    return { padding: { computed: this.computedTokens, wanted: this.wantedTokens } };
  }

  readyAt(now: Ns): Ns {
    return this.width === 0 ? Math.max(now, this.queue.ready) : now;
  }

  /** Throws: engines with devices do not offer static batching. */
  writeRows(): never {
    throw new Error(`instance ${this.state.index}: static batching has no rows for a device`);
  }

  compose(start: Ns): PassPlan {
    const { plan } = this;
    const { shape } = plan;
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
    return plan;
  }

  /** Takes a batch out of the queue, as many in order as there is memory for. */
  private form(start: Ns): void {
    const { queue } = this;
    const { requests, pool, settings, counters } = this.state;
    const { promptTokens, outputTokens } = requests.traffic;
    const bucket = queue.bucketAt(start);
    const most = Math.min(queue.batchOf(bucket), settings.maxSequences);
    let longestOutput = 0;
    this.longestPrompt = 0;
    this.promptTokens = 0;
    this.reserved = 0;
    this.state.queueChanges(start);
    for (let r = queue.firstOf(bucket); r >= 0 && this.width < most; r = queue.firstOf(bucket)) {
      const prompt = Math.max(this.longestPrompt, promptTokens[r] ?? 0);
      const output = Math.max(longestOutput, outputTokens[r] ?? 0);
      const blocks = (this.width + 1) * Math.ceil((prompt + output - 1) / settings.blockTokens);
      if (blocks > pool.available) break;
      queue.takeFrom(bucket);
      this.longestPrompt = prompt;
      longestOutput = output;
      this.promptTokens += promptTokens[r] ?? 0;
      this.reserved = blocks;
      this.width++;
      requests.phase[r] = Phase.prefilling;
      requests.scheduledNs[r] = start;
      requests.prefillInstance[r] = this.state.index;
      this.state.batch.append(r);
      this.ends.push(outputTokens[r] ?? 0, r);
    }
    pool.take(this.reserved);
    counters.blocksUsed(pool.used);
    this.step = 0;
    this.live = this.width;
    this.state.rows.batchChanged = true;
  }

  commit(plan: PassPlan, result: PassResult): void {
    const { requests } = this.state;
    const end = result.endNs;
    const duration = end - result.startNs;
    if (this.step === 0) {
      this.computedTokens += plan.shape.prefillTokens;
      this.wantedTokens += this.promptTokens;
      this.state.counters.prefillRate = (this.promptTokens / duration) * 1e9;
      this.state.pendingPrefill -= this.promptTokens;
      this.state.counters.promptTokensDone += this.promptTokens;
      this.state.counters.prefillsDone += this.width;
      this.state.counters.outputTokensDone += this.width;
      for (let r = this.state.batch.first; r >= 0; r = requests.runAfter[r] ?? -1) {
        requests.phase[r] = Phase.decoding;
        requests.decodeInstance[r] = this.state.index;
        requests.firstTokenNs[r] = end;
        requests.lastTokenNs[r] = end;
        requests.joinPass[r] = this.decodePasses;
        this.state.events.firstToken(r, end, this.state);
      }
      this.state.rows.batchChanged = true;
    } else {
      this.computedTokens += this.width;
      this.wantedTokens += this.live;
      this.state.counters.decodePassNs = duration;
      this.state.counters.outputTokensDone += this.live;
      this.state.gaps?.passed(++this.decodePasses, duration, end, this.state.batch.first);
      this.state.itlMs.add(duration / 1e6, this.live);
    }
    this.step++;
    while (this.ends.next === this.step) this.finish(this.ends.pop(), end);
    if (this.live > 0) return;
    this.state.pool.give(this.reserved);
    this.reserved = 0;
    this.width = 0;
    this.step = 0;
  }

  private finish(r: number, end: Ns): void {
    this.live--;
    this.state.gaps?.collect(r, this.decodePasses);
    this.state.batch.remove(r);
    this.state.requests.generated[r] = this.step;
    this.state.requests.lastTokenNs[r] = end;
    this.residents.end(r, end);
  }
}
