import { InputError } from '../run/inputError.ts';
import { type Random, stream } from '../run/random.ts';
import type { TrafficSpec } from '../run/spec.ts';
import type { Blocks } from '../units.ts';
import { checkLengths, describeLengths, drawLength } from './lengths.ts';
import type { Traffic } from './traffic.ts';
import { maxSpanNs, TrafficBuilder } from './trafficBuilder.ts';

export type OpenSpec = Extract<TrafficSpec, { kind: 'open' }>;

/** More generated requests than this do not fit the columns of one run. */
export const maxGeneratedRequests = 50_000_000;
const systemPrompts = 8;
/** A continued session is one of the latest this many. */
const recentSessions = 256;

/**
 * Open-loop arrivals: gaps are drawn, not scheduled, and not rescaled to hit the rate exactly, so that cv = 1 is a true
 * Poisson process. cv ≠ 1 draws gamma gaps of the same mean: shape 1/cv², scale cv²/rate.
 *
 * With `prefix_share` p, a request shares a prefix with probability p: half of these continue one of the latest sessions
 * (they share the whole blocks of its last prompt), half begin with one of eight system prompts, whose lengths follow the
 * prompt's distribution and whose popularity falls as 1/rank. Lengths keep their distribution whatever is shared.
 */
export function openTraffic(spec: OpenSpec, seed: number): Traffic {
  checkLengths('traffic.prompt', spec.prompt);
  checkLengths('traffic.output', spec.output);
  const expected = spec.rate_rps * spec.duration_s;
  if (expected > maxGeneratedRequests) {
    throw new InputError(
      `traffic: ${spec.rate_rps} requests/s for ${spec.duration_s} s are ${expected.toPrecision(3)} requests, expected at most ${maxGeneratedRequests}`,
    );
  }
  if (spec.duration_s * 1e9 > maxSpanNs) {
    throw new InputError(`traffic.duration_s: ${spec.duration_s} s, expected at most 104 days`);
  }
  const arrivals = stream(seed, 'traffic.arrivals');
  const prompts = stream(seed, 'traffic.prompt');
  const outputs = stream(seed, 'traffic.output');
  const kind = spec.cv === 1 ? 'Poisson' : `gamma cv ${spec.cv}`;
  const name = `${kind} ${spec.rate_rps} req/s, ${spec.duration_s} s, prompt ${describeLengths(spec.prompt)}, output ${describeLengths(spec.output)}`;
  const builder = new TrafficBuilder(name, spec.prefix_share > 0 ? spec.block_tokens : 0);
  const prefixes = spec.prefix_share > 0 ? new SharedPrefixes(spec, seed) : undefined;

  const meanGap = 1 / spec.rate_rps;
  const shape = 1 / (spec.cv * spec.cv);
  const gap = (): number =>
    spec.cv === 1 ? arrivals.exponential(meanGap) : arrivals.gamma(shape, meanGap / shape);
  for (let time = gap(); time < spec.duration_s; time += gap()) {
    const prompt = drawLength(spec.prompt, prompts);
    const session = prefixes?.blocksOf(prompt, builder);
    builder.request(Math.round(time * 1e9), prompt, drawLength(spec.output, outputs), 0, session);
  }
  if (builder.requests === 0) {
    throw new InputError(
      `traffic: no request arrives in ${spec.duration_s} s at ${spec.rate_rps} requests/s, expected a longer duration or a higher rate`,
    );
  }
  return builder.traffic();
}

/** Which block ids a prompt has: those of the prefix that it shares, and new ones after that. */
class SharedPrefixes {
  readonly #random: Random;
  readonly #share: number;
  readonly #blockTokens: number;
  readonly #systems: { readonly ids: number[]; readonly weight: number }[] = [];
  #totalWeight = 0;
  /** Whole blocks of the last prompt of each of the latest sessions, a ring. */
  readonly #sessions: { session: number; ids: number[] }[] = [];
  #nextSession = 0;
  #nextId = 0;

  constructor(spec: OpenSpec, seed: number) {
    this.#random = stream(seed, 'traffic.prefixes');
    this.#share = spec.prefix_share;
    this.#blockTokens = spec.block_tokens;
    for (let rank = 1; rank <= systemPrompts; rank++) {
      const length = Math.floor(drawLength(spec.prompt, this.#random) / spec.block_tokens);
      this.#systems.push({ ids: this.#fresh(length), weight: 1 / rank });
      this.#totalWeight += 1 / rank;
    }
  }

  #fresh(blocks: Blocks): number[] {
    return Array.from({ length: blocks }, () => this.#nextId++);
  }

  /** Gives the builder the blocks of the next prompt; the session that it belongs to. */
  blocksOf(prompt: number, builder: TrafficBuilder): number {
    const random = this.#random;
    const shares = random.uniform() < this.#share;
    const continues = random.uniform() < 0.5;
    const pick = random.uniform();
    let prefix: readonly number[] = [];
    let slot = -1;
    if (shares && continues && this.#sessions.length > 0) {
      slot = Math.floor(pick * this.#sessions.length);
      prefix = this.#sessions[slot]?.ids ?? [];
    } else if (shares) prefix = this.#system(pick);

    const blocks = Math.ceil(prompt / this.#blockTokens);
    const whole = Math.floor(prompt / this.#blockTokens);
    const ids = prefix.slice(0, whole);
    while (ids.length < blocks) ids.push(this.#nextId++);
    for (const id of ids) builder.block(id);

    // A partial last block will hold other tokens once the session goes on: it is not part of what is shared.
    const kept = ids.slice(0, whole);
    const known = this.#sessions[slot];
    if (known !== undefined) {
      known.ids = kept;
      return known.session;
    }
    const session = this.#nextSession++;
    if (this.#sessions.length < recentSessions) this.#sessions.push({ session, ids: kept });
    else this.#sessions[session % recentSessions] = { session, ids: kept };
    return session;
  }

  #system(pick: number): readonly number[] {
    let left = pick * this.#totalWeight;
    for (const { ids, weight } of this.#systems) {
      left -= weight;
      if (left < 0) return ids;
    }
    return this.#systems[0]?.ids ?? [];
  }
}
