import type { Parameter } from '../run/parameter.ts';
import type { Random } from '../run/random.ts';
import { best, CandidateLists } from './candidates.ts';
import {
  decodePassNs,
  kvPressure,
  ownPrefillNs,
  prefillRate,
  sloTpotNs,
  sloTtftNs,
  transferNs,
  waitNs,
} from './estimate.ts';
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
  textOf,
  type VisibleRequest,
} from './router.ts';
import { bestAtRandom } from './scored.ts';

const Term = { ttft: 0, tpot: 1, kv: 2, locality: 3, balance: 4, transfer: 5, stay: 6 } as const;

const parameters: readonly Parameter[] = [
  telemetryRefresh(0),
  {
    kind: 'number',
    id: 'locality_weight',
    label: 'KV locality weight',
    group: 'policy',
    unit: '',
    min: 0,
    max: 10,
    step: 0.1,
    default: 5,
    help: 'Worth of a prefix found in an instance’s cache, in multiples of the prefill time it saves. Larger keeps conversations together, and lets queues grow longer before one is broken up.',
  },
  {
    kind: 'number',
    id: 'balance_weight',
    label: 'Balance weight',
    group: 'policy',
    unit: '',
    min: 0,
    max: 10,
    step: 0.1,
    default: 1,
    help: 'Price of an instance’s share of the recent prefill work. Larger spreads requests more evenly while queues are short.',
  },
  {
    kind: 'choice',
    id: 'hand_off',
    label: 'Hand-off after prefill',
    group: 'policy',
    default: 'conditional',
    choices: [
      {
        id: 'never',
        label: 'Never',
        help: 'Decoding stays where the prompt was computed, unless that is a prefill instance.',
      },
      {
        id: 'conditional',
        label: 'Where it pays',
        help: 'Decoding moves when the other instance is better by more than the transfer costs.',
      },
    ],
    help: 'Whether instances that can do both may pass a request on once its prompt is computed.',
  },
  {
    kind: 'number',
    id: 'hysteresis',
    label: 'Hysteresis',
    group: 'policy',
    unit: '',
    min: 0,
    max: 5,
    step: 0.05,
    default: 0.1,
    help: 'How much better, in units of the TPOT SLO, another instance must be before decoding moves there.',
  },
  {
    kind: 'integer',
    id: 'migration_budget',
    label: 'Migration budget',
    group: 'policy',
    unit: 'moves/s',
    min: 0,
    max: 1000,
    default: 8,
    help: 'Most moves of decoding requests within any second of the run’s own clock; 0 turns migration off.',
  },
  {
    kind: 'number',
    id: 'migration_gap',
    label: 'Migration gap',
    group: 'policy',
    unit: '',
    min: 0,
    max: 10,
    step: 0.05,
    default: 0.25,
    help: 'Least difference between the slowest and the fastest decoding instance, in units of the TPOT SLO, before anything moves.',
  },
  {
    kind: 'number',
    id: 'migration_cooldown_ms',
    label: 'Migration cooldown',
    group: 'policy',
    unit: 'ms',
    min: 0,
    max: 600000,
    default: 5000,
    help: 'A request that moved stays for at least this long.',
  },
];

/** Over this long recent work is remembered for the balance term. */
const memoryNs = 60e9;
const planEveryNs = 250e6;

/**
 * The lab's idea with its units mended. Every term is a time divided by the SLO it endangers, or a share of a capacity, so
 * that no term swamps the others, and the sum reads as "how much of the objective this choice uses up":
 *
 *   prefill  −(wait + own prefill)/TTFT SLO  −decode pass/TPOT SLO  −KV pressure  +w·saved prefill/TTFT SLO  −w·recent share
 *   decode   −decode pass/TPOT SLO  −KV pressure  −transfer/TTFT SLO  +hysteresis for the holder
 */
class ScoreRouter implements Router {
  private readonly cluster: ClusterView;
  private readonly lists: CandidateLists;
  private readonly random: Random;
  private readonly ttftSlo: number;
  private readonly tpotSlo: number;
  private readonly localityWeight: number;
  private readonly balanceWeight: number;
  private readonly hysteresis: number;
  private readonly budget: number;
  private readonly gap: number;
  private readonly cooldownNs: number;
  /** Prefill seconds sent to each instance, fading with time. */
  private readonly recent: Float64Array;
  private recentAt = 0;
  /** Times of the last `budget` moves, a ring. */
  private readonly moves: Float64Array;
  private nextMove = 0;

  constructor({ cluster, parameters: p, random }: RouterContext) {
    this.random = random;
    this.cluster = cluster;
    this.lists = new CandidateLists(cluster);
    this.ttftSlo = sloTtftNs(cluster);
    this.tpotSlo = sloTpotNs(cluster);
    this.localityWeight = numberOf(p, 'locality_weight', 5);
    this.balanceWeight = numberOf(p, 'balance_weight', 1);
    this.hysteresis = numberOf(p, 'hysteresis', 0.1);
    this.budget = numberOf(p, 'migration_budget', 8);
    this.gap = numberOf(p, 'migration_gap', 0.25);
    this.cooldownNs = numberOf(p, 'migration_cooldown_ms', 5000) * 1e6;
    this.recent = new Float64Array(cluster.instances);
    this.moves = new Float64Array(this.budget).fill(Number.NEGATIVE_INFINITY);
  }

  prefill(request: VisibleRequest, telemetry: Telemetry, sheet: ScoreSheet): number {
    const { cluster, recent } = this;
    const { prompts } = this.lists;
    const fade = Math.exp((this.recentAt - request.nowNs) / memoryNs);
    this.recentAt = request.nowNs;
    for (let k = 0; k < prompts.length; k++) {
      const i = prompts[k] ?? 0;
      recent[i] = (recent[i] ?? 0) * fade;
      const rate = prefillRate(cluster, telemetry, i);
      const cached = request.cachedTokens[i] ?? 0;
      const ttft =
        -(waitNs(cluster, telemetry, i) + ownPrefillNs(cluster, telemetry, request, i)) / this.ttftSlo;
      const decodesHere = cluster.role[i] !== 'prefill';
      const tpot = decodesHere
        ? -decodePassNs(cluster, telemetry, i, 1, request.promptTokens) / this.tpotSlo
        : 0;
      const kv = -kvPressure(cluster, telemetry, i, request.promptTokens - cached);
      const locality = (this.localityWeight * ((cached / rate) * 1e9)) / this.ttftSlo;
      const balance = (-this.balanceWeight * (recent[i] ?? 0)) / memoryNs;
      sheet.candidate[i] = 1;
      sheet.set(i, Term.ttft, ttft);
      sheet.set(i, Term.tpot, tpot);
      sheet.set(i, Term.kv, kv);
      sheet.set(i, Term.locality, locality);
      sheet.set(i, Term.balance, balance);
      sheet.total[i] = ttft + tpot + kv + locality + balance;
    }
    const chosen = best(sheet, prompts);
    recent[chosen] = (recent[chosen] ?? 0) + ownPrefillNs(cluster, telemetry, request, chosen);
    return chosen;
  }

  private scoreDecode(
    i: number,
    holder: number,
    contextTokens: number,
    telemetry: Telemetry,
    sheet: ScoreSheet,
    joins: boolean,
  ): void {
    const { cluster } = this;
    const more = joins ? 1 : 0;
    const tpot = -decodePassNs(cluster, telemetry, i, more, more * contextTokens) / this.tpotSlo;
    const kv = joins ? -kvPressure(cluster, telemetry, i, contextTokens) : 0;
    // Prompts that wait here will lie between the tokens of this request.
    const ttft = -waitNs(cluster, telemetry, i) / this.ttftSlo;
    const transfer = i === holder ? 0 : -transferNs(cluster, contextTokens) / this.ttftSlo;
    const stay = i === holder ? this.hysteresis : 0;
    sheet.candidate[i] = 1;
    sheet.set(i, Term.tpot, tpot);
    sheet.set(i, Term.ttft, ttft);
    sheet.set(i, Term.kv, kv);
    sheet.set(i, Term.transfer, transfer);
    sheet.set(i, Term.stay, stay);
    sheet.total[i] = tpot + kv + ttft + transfer + stay;
  }

  decode(request: VisibleRequest, telemetry: Telemetry, sheet: ScoreSheet): number {
    for (const i of this.lists.decoders) {
      this.scoreDecode(i, request.holder, request.contextTokens, telemetry, sheet, true);
    }
    return bestAtRandom(sheet, this.lists.decoders, this.random);
  }

  /**
   * From the slowest to the fastest decoding instance, least important and shortest context first, while the gap stays, the
   * budget lasts, and the request is expected to win more than its transfer costs. What a request has generated so far is
   * the best guess of what is still to come.
   */
  migrate(
    nowNs: number,
    active: ActiveRequests,
    telemetry: Telemetry,
    sheet: ScoreSheet,
    move: (request: number, to: number) => boolean,
  ): void {
    const { cluster } = this;
    const { decoders } = this.lists;
    if (this.budget === 0 || decoders.length < 2) return;
    let slow = -1;
    let fast = -1;
    let slowest = Number.NEGATIVE_INFINITY;
    let fastest = Number.POSITIVE_INFINITY;
    for (const i of decoders) {
      if ((telemetry.decoding[i] ?? 0) > 0) {
        const pass = decodePassNs(cluster, telemetry, i, 0, 0);
        if (pass > slowest) {
          slowest = pass;
          slow = i;
        }
      }
      const after = decodePassNs(cluster, telemetry, i, 1, 0);
      if (after < fastest) {
        fastest = after;
        fast = i;
      }
    }
    if (slow < 0 || slow === fast || (slowest - fastest) / this.tpotSlo < this.gap) return;
    let chosen = -1;
    for (let k = 0; k < active.count; k++) {
      if (active.instance[k] !== slow) continue;
      if (nowNs - (active.movedNs[k] ?? 0) < this.cooldownNs) continue;
      if (chosen < 0 || this.sooner(active, k, chosen)) chosen = k;
    }
    if (chosen < 0) return;
    const context = active.contextTokens[chosen] ?? 0;
    const gain = slowest - decodePassNs(cluster, telemetry, fast, 1, context);
    if (gain <= this.hysteresis * this.tpotSlo) return;
    if (gain * (active.generated[chosen] ?? 0) <= transferNs(cluster, context)) return;
    const oldest = this.moves[this.nextMove] ?? 0;
    if (nowNs - oldest < 1e9) return;
    for (const i of decoders) this.scoreDecode(i, slow, context, telemetry, sheet, i !== slow);
    if (move(active.request[chosen] ?? -1, fast)) {
      this.moves[this.nextMove] = nowNs;
      this.nextMove = (this.nextMove + 1) % this.budget;
    }
  }

  private sooner(active: ActiveRequests, a: number, b: number): boolean {
    const pa = active.priority[a] ?? 0;
    const pb = active.priority[b] ?? 0;
    if (pa !== pb) return pa > pb;
    const ca = active.contextTokens[a] ?? 0;
    const cb = active.contextTokens[b] ?? 0;
    return ca < cb || (ca === cb && (active.request[a] ?? 0) < (active.request[b] ?? 0));
  }
}

export const score: RouterKind = {
  id: 'score',
  label: 'Telemetry score',
  help: 'Estimates what a request would meet on each instance, in units of its objectives, and takes the least; moves decoding requests when one instance falls behind.',
  terms: [
    {
      id: 'ttft',
      meaning: 'minus estimated time to first token ÷ TTFT SLO (decode: minus prompts waiting there)',
    },
    { id: 'tpot', meaning: 'minus the decode pass once the request has joined ÷ TPOT SLO' },
    { id: 'kv', meaning: 'minus KV pressure: 0 below 80 % full, 1 when full' },
    { id: 'locality', meaning: 'prefill time saved by the prefix cache ÷ TTFT SLO × weight' },
    { id: 'balance', meaning: 'minus the instance’s recent prefill work ÷ time × weight' },
    { id: 'transfer', meaning: 'minus time to move the KV cache ÷ TTFT SLO' },
    { id: 'stay', meaning: 'hysteresis: bonus of the instance that holds the KV cache' },
  ],
  parameters,
  needs: { telemetry: true, prefix: true },
  asksWhereToDecode: (p) => textOf(p, 'hand_off', 'conditional') === 'conditional',
  migrationIntervalNs: (p) => (numberOf(p, 'migration_budget', 8) > 0 ? planEveryNs : 0),
  create: (context) => new ScoreRouter(context),
};
