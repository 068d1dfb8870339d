import { InputError } from '../run/inputError.ts';
import { type Random, stream } from '../run/random.ts';
import type { TrafficSpec } from '../run/spec.ts';
import type { Seconds, Tokens } from '../units.ts';
import { logNormal } from './lengths.ts';
import { maxGeneratedRequests } from './openTraffic.ts';
import { speedUp } from './shape.ts';
import type { Traffic } from './traffic.ts';
import { maxSpanNs, TrafficBuilder } from './trafficBuilder.ts';

export type SyntheticSpec = Extract<TrafficSpec, { kind: 'synthetic' }>;

const blockTokens: Tokens = 512;
/** Every conversation starts with it: two whole blocks that each instance can keep, and that tell a router nothing. */
const systemPromptTokens: Tokens = 1024;
const maxContextTokens: Tokens = 126_000;
const turnsMean = 3.2;
const documentShare = 0.15;

/**
 * The built-in hour, so that the first run needs no file. It has what makes serving hard, in the proportions of public
 * chat traces:
 *
 *   rate     a "day" squeezed into the duration: 0.5× at both ends, 1.4× in the middle; on top of it bursts of about 20 s
 *            every three minutes with three times the rate
 *   sessions geometric number of turns (mean 3.2); each turn's prompt is everything said before plus a new question, so
 *            prefixes grow; log-normal pauses of about half a minute between turns
 *   lengths  first questions ~500 tokens (σ 1.0), or a pasted document of ~6,000 in 15 % of sessions; follow-ups ~110;
 *            answers ~220 (σ 0.8): heavy tails
 *   blocks   of 512 tokens; blocks 0 and 1 are the system prompt common to all
 */
export function syntheticTraffic(spec: SyntheticSpec, seed: number): Traffic {
  if (spec.requests > maxGeneratedRequests) {
    throw new InputError(`traffic.requests: ${spec.requests}, expected at most ${maxGeneratedRequests}`);
  }
  if (spec.duration_s * 1e9 > maxSpanNs) {
    throw new InputError(`traffic.duration_s: ${spec.duration_s} s, expected at most 104 days`);
  }
  const starts = new SessionStarts(
    spec.duration_s,
    stream(seed, 'traffic.rate'),
    stream(seed, 'traffic.arrivals'),
  );
  const turns = stream(seed, 'traffic.turns');
  const lengths = stream(seed, 'traffic.lengths');
  const builder = new TrafficBuilder(
    `built-in hour, ${spec.requests} requests in ${spec.duration_s} s`,
    blockTokens,
  );

  let nextId = systemPromptTokens / blockTokens;
  const systemIds = Array.from({ length: nextId }, (_, i) => i);
  for (let session = 0; builder.requests < spec.requests; session++) {
    let time = starts.next();
    let context: Tokens = systemPromptTokens;
    let ids = systemIds;
    let question = firstQuestion(lengths);
    do {
      const prompt = Math.min(maxContextTokens, context + question);
      const answer = logNormal(lengths, 220, 0.8, 4, 4096);
      // Whole blocks of the prompt before stay the same; what followed them is new, the answer included.
      ids = ids.slice();
      while (ids.length * blockTokens < prompt) ids.push(nextId++);
      for (const id of ids) builder.block(id);
      builder.request(Math.round(time * 1e9), prompt, answer, 0, session);
      ids.length = Math.floor(prompt / blockTokens);
      context = prompt + answer;
      time += 2 + 28 * Math.exp(0.9 * turns.gaussian());
      question = logNormal(lengths, 110, 0.9, 4, 8000);
    } while (
      turns.uniform() < 1 - 1 / turnsMean &&
      time < spec.duration_s &&
      context + question <= maxContextTokens &&
      builder.requests < spec.requests
    );
  }
  return speedUp(builder.traffic(), spec.speedup);
}

function firstQuestion(random: Random): Tokens {
  return random.uniform() < documentShare
    ? logNormal(random, 6000, 0.9, 500, 100_000)
    : logNormal(random, 500, 1, 8, 30_000);
}

/** Start times of sessions: drawn from a rate that varies over the run, in 1,000 steps or steps of a second. */
class SessionStarts {
  readonly #random: Random;
  readonly #step: Seconds;
  /** Cumulative weight up to and including each step. */
  readonly #cumulative: Float64Array;

  constructor(duration: Seconds, rate: Random, arrivals: Random) {
    this.#random = arrivals;
    const steps = Math.min(100_000, Math.max(1000, Math.ceil(duration)));
    this.#step = duration / steps;
    this.#cumulative = new Float64Array(steps);
    let bursting = false;
    let left = rate.exponential(160);
    let sum = 0;
    for (let i = 0; i < steps; i++) {
      const x = (i + 0.5) / steps;
      const day = 0.5 + 3.6 * x * (1 - x);
      // Bursts keep their share of the run whatever its length: their clock runs an hour per run.
      left -= 3600 / steps;
      if (left < 0) {
        bursting = !bursting;
        left += rate.exponential(bursting ? 20 : 160);
      }
      sum += day * (bursting ? 3 : 1);
      this.#cumulative[i] = sum;
    }
  }

  next(): Seconds {
    const total = this.#cumulative[this.#cumulative.length - 1] ?? 0;
    const target = this.#random.uniform() * total;
    let low = 0;
    let high = this.#cumulative.length - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#cumulative[middle] ?? 0) <= target) low = middle + 1;
      else high = middle;
    }
    return (low + this.#random.uniform()) * this.#step;
  }
}
