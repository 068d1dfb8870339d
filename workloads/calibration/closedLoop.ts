import type { CostModel } from '../cost/costModel.ts';
import { quantile } from '../metrics/percentile.ts';
import { Sketch } from '../metrics/sketch.ts';
import { stream } from '../run/random.ts';
import { absentInt32 } from '../run/tables.ts';
import type { Instance } from '../serving/instance.ts';
import type { InstanceEvents } from '../serving/instanceSettings.ts';
import { continuousInstance } from '../serving/makeInstance.ts';
import { Phase, RequestTable } from '../serving/requestTable.ts';
import type { Fraction, Ms, Ns, Tokens } from '../units.ts';

export interface ClosedLoop {
  readonly cost: CostModel;
  readonly clients: number;
  /** Requests per client, one after the other. */
  readonly rounds: number;
  readonly promptTokens: Tokens;
  readonly outputTokens: Tokens;
  /** Lengths are drawn evenly from this share of the stated ones up to them; 1: all alike. */
  readonly leastLength: Fraction;
  /** From an answer to the client's next request at the engine's queue: drawn, exponential. */
  readonly thinkNs: Ns;
  readonly kvBlocks: number;
  readonly maxBatchedTokens: Tokens;
  readonly maxSequences: number;
  readonly plansAhead: boolean;
  /** What is reported of all requests. */
  readonly statistic: 'mean' | 'median';
}

/**
 * One instance and clients that all start at once and each send their next request when the last one ended. The instance is advanced from
 * one end of a pass to the next, since each may be the end of an answer; a stretch in which nobody can end is taken in one go.
 */
export function closedLoop(loop: ClosedLoop): { readonly ttft: Ms; readonly tpot: Ms } {
  const n = loop.clients * loop.rounds;
  const random = stream(0, 'closed loop');
  const length = (tokens: Tokens): Tokens =>
    loop.leastLength === 1
      ? tokens
      : Math.max(1, Math.round(tokens * (loop.leastLength + (1 - loop.leastLength) * random.uniform())));
  const arrivalNs = new Float64Array(n);
  const promptTokens = Int32Array.from({ length: n }, () => length(loop.promptTokens));
  const outputTokens = Int32Array.from({ length: n }, () => length(loop.outputTokens));
  const table = new RequestTable({
    name: 'closed loop',
    requests: n,
    arrivalNs,
    promptTokens,
    outputTokens,
    priority: new Uint8Array(n),
    session: new Int32Array(n).fill(absentInt32),
    blockTokens: 0,
    blockOffsets: new Int32Array(n + 1),
    blockIds: new Int32Array(0),
    uniqueBlocks: 0,
  });
  let next = 0;
  /** Requests on their way, by arrival. */
  const coming: { readonly r: number; readonly at: Ns }[] = [];
  const send = (at: Ns): void => {
    if (next >= n) return;
    const arrival = Math.round(at + (loop.thinkNs > 0 && at > 0 ? random.exponential(loop.thinkNs) : 0));
    arrivalNs[next] = arrival;
    const after = coming.findIndex((other) => other.at > arrival);
    coming.splice(after < 0 ? coming.length : after, 0, { r: next++, at: arrival });
  };
  const residents = new Set<number>();
  const events: InstanceEvents = {
    firstToken: () => {},
    finished: (request, at) => {
      residents.delete(request);
      send(at);
    },
    preempted: () => {},
    swapped: () => {},
    promptDone: () => {},
    passes: () => {},
  };
  const instance = continuousInstance(
    {
      index: 0,
      name: 'engine',
      role: 'mixed',
      cost: loop.cost,
      kvBlocks: loop.kvBlocks,
      blockTokens: 16,
      prefixReuse: false,
      maxBatchedTokens: loop.maxBatchedTokens,
      maxSequences: loop.maxSequences,
      asksWhereToDecode: false,
      plansAhead: loop.plansAhead,
    },
    table,
    events,
    new Sketch(),
  );
  for (let client = 0; client < loop.clients; client++) send(0);
  while (coming.length > 0 || instance.outstanding > 0) {
    const arrival = coming[0]?.at ?? Number.POSITIVE_INFINITY;
    if (instance.outstanding > 0 && !instance.flying) instance.startAt(Math.min(arrival, instance.now));
    const end = instance.flying ? quietUntil(instance, residents, table) : Number.POSITIVE_INFINITY;
    const t = Math.min(arrival, end);
    if (t === Number.POSITIVE_INFINITY) break;
    instance.advanceTo(t);
    while (coming[0] !== undefined && coming[0].at <= t) {
      const { r } = coming.shift() ?? { r: 0 };
      residents.add(r);
      instance.submit(r, t);
    }
  }
  const ttft: Ms[] = [];
  const tpot: Ms[] = [];
  for (let r = 0; r < n; r++) {
    const first = table.firstTokenNs[r] ?? 0;
    ttft.push((first - (arrivalNs[r] ?? 0)) / 1e6);
    tpot.push(((table.finishNs[r] ?? 0) - first) / Math.max(1, (outputTokens[r] ?? 1) - 1) / 1e6);
  }
  const of = (values: readonly number[]): number =>
    loop.statistic === 'median' ? quantile(values, 0.5) : values.reduce((sum, value) => sum + value, 0) / n;
  return { ttft: of(ttft), tpot: of(tpot) };
}

/** The end of the pass in progress, or where all decode and nobody can end for some passes, of one of those: contexts only grow. */
function quietUntil(instance: Instance, residents: ReadonlySet<number>, table: RequestTable): Ns {
  if (instance.prefills > 0) return instance.endNs;
  let least = Number.POSITIVE_INFINITY;
  for (const r of residents) {
    const done = table.phase[r] === Phase.decoding ? instance.generatedSoFar(r) : (table.generated[r] ?? 0);
    least = Math.min(least, (table.outputTokens[r] ?? 0) - done);
  }
  const passes = Math.max(0, least - 2);
  return instance.endNs + passes * (instance.endNs - instance.startNs);
}
