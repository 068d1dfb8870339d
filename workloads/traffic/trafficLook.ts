import { absentInt32 } from '../run/tables.ts';
import { type Ns, nsToSeconds, type Tokens } from '../units.ts';
import { ArrivalBins } from './arrivalBins.ts';
import { BlockCounter } from './blockCounter.ts';
import { LengthHistogram } from './lengthHistogram.ts';
import { OpenBlocks } from './openBlocks.ts';
import type { RequestSink } from './requestSink.ts';
import type { TraceSource } from './traffic.ts';

/** What a form shows of a trace before it is run. */
export interface TrafficSketch {
  readonly name: string;
  readonly requests: number;
  readonly prompt_tokens: number;
  readonly output_tokens: number;
  readonly block_refs: number;
  readonly unique_blocks: number;
  /** `unique_blocks` is an estimate (hash-like ids beyond two million): 0.8 % standard error. */
  readonly blocks_estimated?: true;
  readonly duration_s: number;
  /** Mean rate of arrivals between the first and the last; absent where all arrive at one time. */
  readonly rate_rps?: number;
  /** 0 where the traffic knows none. */
  readonly sessions: number;
  /** How the trace's file was understood; absent for generated traffic. */
  readonly source?: TraceSource;
  /** Arrivals per second in equal bins. */
  readonly arrivals_rps: readonly number[];
  /** Quantiles 0, 1, … 100 %. */
  readonly prompt_quantiles: readonly number[];
  readonly output_quantiles: readonly number[];
}

/**
 * What there is to say of traffic that need not fit into memory: each request is counted and forgotten. A few MB, a bit per
 * session and the blocks as `BlockCounter` counts them, however long the trace is.
 */
export class TrafficLook implements RequestSink {
  requests = 0;
  private readonly arrivals = new ArrivalBins();
  private readonly prompts = new LengthHistogram();
  private readonly outputs = new LengthHistogram();
  private readonly open = new OpenBlocks();
  private readonly blocks = new BlockCounter();
  private sessionBits = new Uint32Array(32);
  private sessions = 0;

  block(id: number | string): boolean {
    if (!this.open.add(id, true)) return false;
    this.blocks.add(id);
    return true;
  }

  request(arrival: Ns, prompt: Tokens, output: Tokens, _priority = 0, session = absentInt32): void {
    this.requests++;
    this.arrivals.add(arrival);
    this.prompts.add(prompt);
    this.outputs.add(output);
    if (session !== absentInt32) this.countSession(session);
    this.open.clear();
  }

  /** `speedup` 2: the same requests in half the time. */
  sketch(name: string, source: TraceSource | undefined, bins = 120, speedup = 1): TrafficSketch {
    const { arrivals, prompts, outputs, requests } = this;
    const wholeNs = requests === 0 ? 0 : arrivals.last - arrivals.first;
    const spanNs = wholeNs / speedup;
    const binSeconds = nsToSeconds(spanNs > 0 ? spanNs : 1e9) / bins;
    const { refs, unique, isEstimate } = this.blocks.counted();
    return {
      name: speedup === 1 ? name : `${name} ×${speedup}`,
      requests,
      prompt_tokens: prompts.sum,
      output_tokens: outputs.sum,
      block_refs: refs,
      unique_blocks: unique,
      ...(isEstimate ? { blocks_estimated: true as const } : {}),
      duration_s: nsToSeconds(spanNs),
      ...(spanNs > 0 ? { rate_rps: (requests - 1) / nsToSeconds(spanNs) } : {}),
      sessions: this.sessions,
      ...(source === undefined ? {} : { source }),
      arrivals_rps: arrivals.counts(bins).map((count) => count / binSeconds),
      prompt_quantiles: prompts.quantiles(100),
      output_quantiles: outputs.quantiles(100),
    };
  }

  private countSession(session: number): void {
    const word = session >>> 5;
    if (word >= this.sessionBits.length) {
      const grown = new Uint32Array(Math.max(this.sessionBits.length * 2, word + 1));
      grown.set(this.sessionBits);
      this.sessionBits = grown;
    }
    const bits = this.sessionBits[word] ?? 0;
    const bit = 1 << (session & 31);
    if ((bits & bit) !== 0) return;
    this.sessionBits[word] = bits | bit;
    this.sessions++;
  }
}
