import type { Ns, Tokens } from '../units.ts';
import type { Batcher } from './batcher.ts';
import type { BatchState } from './batchState.ts';
import { PassComposer } from './passComposer.ts';
import { PassPlan, type PassResult, RowKind } from './passPlan.ts';
import type { ReplicaTotals } from './replica.ts';
import { Phase } from './requestTable.ts';
import type { Residents } from './residents.ts';

/** Continuous batching: requests join and leave the batch between any two passes, as the scheduler decides. */
export class ContinuousBatcher implements Batcher {
  readonly state: BatchState;
  readonly plan = new PassPlan();
  private readonly residents: Residents;
  private readonly composer: PassComposer;

  constructor(state: BatchState, residents: Residents) {
    this.state = state;
    this.residents = residents;
    this.composer = new PassComposer(state, residents, this.plan);
  }

  get prefills(): number {
    return this.state.prompts.length;
  }

  get decoding(): number {
    return this.state.decode.count;
  }

  get decodeContext(): Tokens {
    return this.state.decode.context;
  }

  generatedSoFar(r: number): Tokens {
    return this.state.decode.generated(r);
  }

  totals(): Pick<ReplicaTotals, 'technique' | 'swap'> {
    const { swap, technique } = this.state;
    return {
      ...(technique === undefined ? {} : { technique: technique.counts }),
      ...(swap === undefined ? {} : { swap }),
    };
  }

  readyAt(now: Ns): Ns {
    return this.state.outstanding === 0 ? Number.POSITIVE_INFINITY : now;
  }

  compose(start: Ns): PassPlan | undefined {
    return this.composer.compose(start) ? this.plan : undefined;
  }

  writeRows(): void {
    const { plan } = this;
    const { prompts, requests, batch, pool, decode, decodes, blockTokens } = this.state;
    plan.clear();
    for (let i = 0; i < prompts.length; i++) {
      const take = prompts.tokensAt(i);
      if (take === 0) break;
      const r = prompts.at(i);
      const done = requests.computed[r] ?? 0;
      pool.tables?.grow(r, Math.ceil((done + take) / blockTokens));
      plan.add(r, RowKind.prefill, done, take, done + take === requests.need[r]);
    }
    if (!decodes) return;
    for (let r = batch.first; r >= 0; r = requests.runAfter[r] ?? -1) {
      if (requests.phase[r] !== Phase.decoding) continue;
      const generated = decode.generated(r);
      const context = (requests.traffic.promptTokens[r] ?? 0) + generated;
      const width = Math.min(decode.width, (requests.traffic.outputTokens[r] ?? 0) - generated);
      pool.tables?.grow(r, Math.ceil((context - 1 + width) / blockTokens));
      plan.add(r, RowKind.decode, context - 1, width, true);
    }
  }

  commit(plan: PassPlan, result: PassResult): void {
    const { state } = this;
    const { requests, decode, prompts, counters } = state;
    const end = result.endNs;
    const duration = end - result.startNs;
    const { prefillTokens } = plan.shape;
    state.endedNs = end;
    if (prefillTokens > 0) {
      // A nearly empty pass says nothing about the rate: its time is the weights', not the tokens'.
      if (4 * prefillTokens >= state.settings.maxBatchedTokens) {
        const rate = (prefillTokens / duration) * 1e9;
        counters.prefillRate = Number.isNaN(counters.prefillRate)
          ? rate
          : 0.8 * counters.prefillRate + 0.2 * rate;
      }
      state.pendingPrefill -= prefillTokens;
      counters.promptTokensDone += prefillTokens;
    }

    // Simulated passes follow each other at once; on a device there is time between them, which belongs to the gap of a token.
    const isReal = state.settings.executor !== undefined;
    const gap = isReal ? end - state.decodedNs : duration;
    if (state.decodes) {
      decode.step();
      if (decode.count > 0) state.gaps?.passed(decode.pass, end - state.decodedNs, end, state.batch.first);
      state.decodedNs = end;
    }
    if (decode.count > 0 && state.decodes) {
      counters.decodePassNs = duration;
      counters.outputTokensDone += decode.count + decode.extra;
      state.itlMs.add(gap / 1e6, decode.count - state.late.length);
      if (state.late.length > 0) state.late.end(isReal ? end - state.plannedNs : duration, state.itlMs);
      // Tokens of one sequence that come with one pass come together.
      if (decode.extra > 0) state.itlMs.add(0, decode.extra);
      while (decode.finishes.next === decode.pass) this.residents.finishDecoding(decode.finishes.pop(), end);
    }

    let ended = 0;
    for (let i = 0; i < prompts.length; i++) {
      const take = prompts.tokensAt(i);
      if (take === 0) break;
      const r = prompts.at(i);
      const computed = (requests.computed[r] ?? 0) + take;
      requests.computed[r] = computed;
      if (state.reuse) this.residents.publishComputed(r, computed, end);
      if (computed === requests.need[r]) {
        ended++;
        this.residents.endPrompt(r, end);
      }
    }
    if (ended > 0) {
      prompts.dropFirst(ended);
      state.rows.batchChanged = true;
    }
  }
}
