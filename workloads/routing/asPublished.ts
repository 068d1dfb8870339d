import { best, CandidateLists } from './candidates.ts';
import { telemetryRefresh } from './parameters.ts';
import {
  type ActiveRequests,
  type ClusterView,
  numberOf,
  type Router,
  type RouterContext,
  type RouterKind,
  type ScoreSheet,
  type Telemetry,
  type VisibleRequest,
} from './router.ts';

const Term = { ttft: 0, tokens: 1, memory: 2, queue: 3, locality: 4 } as const;
const alpha = 0.3;
const kvBoost = 0.3;
const queueUrgency = 1;
const budget = 32;
const windowNs = 1e9;
const minimumGap = 0.5;
const mostPerCall = 2;

/**
 * The published lab's router, kept as it is so that its lesson can be shown. A score per instance,
 *
 *   prefill  1.5/(1 + TTFT ms) + 0.5 tokens/s + 1.0 free GB + 0.5 urgency/(1 + queue)
 *   decode   0.5/(1 + TTFT ms) + 1.5 tokens/s + 0.5 free GB + 1.0 urgency/(1 + queue) + 0.3 if the KV cache is there
 *
 * adds numbers in different units: tokens/s run into the thousands, all the other terms together stay below a hundred. An idle
 * instance has no tokens/s, so the busy one wins again. The KV bonus asks whether a decode instance holds the KV cache, which
 * only a prefill instance can. One snapshot serves all arrivals of a 50 ms tick: they all go to the same instance.
 * Source of the formula and its weights: the lab's router_policy.py, EWMA 0.3, migration budget 32/s, gap 0.5.
 *
 * Where the original read the true remaining length to order migrations, this one takes the fewest tokens generated so far.
 */
class AsPublishedRouter implements Router {
  private readonly lists: CandidateLists;
  private readonly gbPerBlock: number;
  private readonly ttft: Float64Array;
  private readonly tokens: Float64Array;
  private readonly queue: Float64Array;
  private readonly memory: Float64Array;
  private seen = Number.NaN;
  private readonly moves = new Float64Array(budget).fill(Number.NEGATIVE_INFINITY);
  private nextMove = 0;

  constructor({ cluster }: RouterContext) {
    this.lists = new CandidateLists(cluster);
    this.gbPerBlock = gbPerBlock(cluster);
    const column = () => new Float64Array(cluster.instances);
    this.ttft = column();
    this.tokens = column();
    this.queue = column();
    this.memory = column();
  }

  /** A new snapshot moves every average by 0.3; the first one sets it. */
  private observe(t: Telemetry): void {
    if (t.takenNs === this.seen) return;
    const a = Number.isNaN(this.seen) ? 1 : alpha;
    this.seen = t.takenNs;
    for (let i = 0; i < t.instances; i++) {
      const toward = (column: Float64Array, value: number) => {
        const before = column[i] ?? 0;
        column[i] = before + a * (value - before);
      };
      toward(this.ttft, t.ttftMs[i] ?? 0);
      toward(this.tokens, t.tokensPerSecond[i] ?? 0);
      toward(this.queue, (t.waiting[i] ?? 0) + (t.running[i] ?? 0));
      toward(this.memory, ((t.kvTotal[i] ?? 0) - (t.kvUsed[i] ?? 0)) * this.gbPerBlock);
    }
  }

  private score(
    i: number,
    weights: readonly [number, number, number, number],
    holder: number,
    sheet: ScoreSheet,
  ): void {
    const ttft = weights[0] / (1 + (this.ttft[i] ?? 0));
    const tokens = weights[1] * (this.tokens[i] ?? 0);
    const memory = weights[2] * (this.memory[i] ?? 0);
    const queue = (weights[3] * queueUrgency) / (1 + (this.queue[i] ?? 0));
    const locality = i === holder ? kvBoost : 0;
    sheet.candidate[i] = 1;
    sheet.set(i, Term.ttft, ttft);
    sheet.set(i, Term.tokens, tokens);
    sheet.set(i, Term.memory, memory);
    sheet.set(i, Term.queue, queue);
    sheet.set(i, Term.locality, locality);
    sheet.total[i] = ttft + tokens + memory + queue + locality;
  }

  prefill(_request: VisibleRequest, telemetry: Telemetry, sheet: ScoreSheet): number {
    this.observe(telemetry);
    for (const i of this.lists.prompts) this.score(i, prefillWeights, -1, sheet);
    return best(sheet, this.lists.prompts);
  }

  decode(request: VisibleRequest, telemetry: Telemetry, sheet: ScoreSheet): number {
    this.observe(telemetry);
    for (const i of this.lists.decoders) this.score(i, decodeWeights, request.holder, sheet);
    return best(sheet, this.lists.decoders);
  }

  migrate(
    nowNs: number,
    active: ActiveRequests,
    telemetry: Telemetry,
    sheet: ScoreSheet,
    move: (request: number, to: number) => boolean,
  ): void {
    this.observe(telemetry);
    if (this.lists.decoders.length < 2) return;
    for (const i of this.lists.decoders) this.score(i, decodeWeights, -1, sheet);
    const sources = [...this.lists.decoders].sort(
      (a, b) => (sheet.total[a] ?? 0) - (sheet.total[b] ?? 0) || a - b,
    );
    const target = best(sheet, this.lists.decoders);
    const lowest = sheet.total[sources[0] ?? 0] ?? 0;
    if ((sheet.total[target] ?? 0) - lowest < minimumGap) return;
    let left = mostPerCall;
    for (const source of sources) {
      if (source === target) continue;
      const here: number[] = [];
      for (let k = 0; k < active.count; k++) if (active.instance[k] === source) here.push(k);
      here.sort(
        (a, b) =>
          (active.priority[a] ?? 0) - (active.priority[b] ?? 0) ||
          (active.generated[a] ?? 0) - (active.generated[b] ?? 0) ||
          a - b,
      );
      for (const k of here) {
        if (left === 0 || nowNs - (this.moves[this.nextMove] ?? 0) < windowNs) return;
        if (!move(active.request[k] ?? -1, target)) continue;
        left--;
        this.moves[this.nextMove] = nowNs;
        this.nextMove = (this.nextMove + 1) % budget;
      }
    }
  }
}

const prefillWeights = [1.5, 0.5, 1.0, 0.5] as const;
const decodeWeights = [0.5, 1.5, 0.5, 1.0] as const;
const gbPerBlock = (cluster: ClusterView): number => (cluster.kvBytesPerToken * cluster.blockTokens) / 1e9;

export const asPublished: RouterKind = {
  id: 'as_published',
  label: 'Score as published',
  help: 'The original lab’s score, whose terms have different units: tokens per second swamp the rest, and the busiest instance wins.',
  terms: [
    { id: 'ttft', meaning: 'weight ÷ (1 + TTFT in ms): at most 1.5' },
    { id: 'tokens', meaning: 'weight × output tokens per second: thousands' },
    { id: 'memory', meaning: 'weight × free KV memory in GB' },
    { id: 'queue', meaning: 'weight ÷ (1 + queue): at most 1' },
    { id: 'locality', meaning: '0.3 if a decode instance holds the KV cache: never, in this design' },
  ],
  parameters: [telemetryRefresh(50)],
  needs: { telemetry: true, prefix: false },
  migrationIntervalNs: (p) => 5e6 * numberOf(p, 'telemetry_refresh_ms', 50) || 250e6,
  create: (context) => new AsPublishedRouter(context),
};
