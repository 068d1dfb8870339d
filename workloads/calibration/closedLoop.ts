import type { CostModel } from '../cost/costModel.ts';
import { Sketch } from '../metrics/sketch.ts';
import { absentInt32 } from '../run/tables.ts';
import type { Instance } from '../serving/instance.ts';
import type { InstanceEvents } from '../serving/instanceSettings.ts';
import { continuousInstance } from '../serving/makeInstance.ts';
import { RequestTable } from '../serving/requestTable.ts';
import type { Ms, Ns, Tokens } from '../units.ts';

export interface ClosedLoop {
  readonly cost: CostModel;
  readonly clients: number;
  /** Requests per client, one after the other. */
  readonly rounds: number;
  readonly promptTokens: Tokens;
  readonly outputTokens: Tokens;
  readonly kvBlocks: number;
  readonly maxBatchedTokens: Tokens;
  readonly maxSequences: number;
  /**
   * All clients start at once and every request counts (a burst), or clients start this long apart and the first request
   * of each is left out (a load that has been running for a while).
   */
  readonly apartNs: Ns;
}

/**
 * One instance and clients that each send their next request when the last one ended: the traffic follows from the
 * serving, so it is no Traffic of its own. Means over its requests.
 */
export function closedLoop(loop: ClosedLoop): { readonly ttft: Ms; readonly tpot: Ms } {
  const n = loop.clients * loop.rounds;
  const arrivalNs = new Float64Array(n);
  const table = new RequestTable({
    name: 'closed loop',
    requests: n,
    arrivalNs,
    promptTokens: new Int32Array(n).fill(loop.promptTokens),
    outputTokens: new Int32Array(n).fill(loop.outputTokens),
    priority: new Uint8Array(n),
    session: new Int32Array(n).fill(absentInt32),
    blockTokens: 0,
    blockOffsets: new Int32Array(n + 1),
    blockIds: new Int32Array(0),
    uniqueBlocks: 0,
  });
  let next = 0;
  const send = (at: Ns, instance: Instance): void => {
    if (next >= n) return;
    arrivalNs[next] = at;
    instance.submit(next++, at);
  };
  const events: InstanceEvents = {
    firstToken: () => {},
    finished: (_request, at) => send(at, instance),
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
      plansAhead: true,
    },
    table,
    events,
    new Sketch(),
  );
  for (let client = 0; client < loop.clients; client++) {
    const at = Math.round(client * loop.apartNs);
    instance.advanceTo(at);
    send(at, instance);
  }
  instance.advanceTo(Number.MAX_SAFE_INTEGER);
  let ttft = 0;
  let tpot = 0;
  const from = loop.apartNs > 0 ? loop.clients : 0;
  for (let r = from; r < n; r++) {
    const first = table.firstTokenNs[r] ?? 0;
    ttft += first - (arrivalNs[r] ?? 0);
    tpot += ((table.finishNs[r] ?? 0) - first) / Math.max(1, loop.outputTokens - 1);
  }
  return { ttft: ttft / (n - from) / 1e6, tpot: tpot / (n - from) / 1e6 };
}
