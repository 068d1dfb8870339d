import { decodePassNs, ownPrefillNs, sloTpotNs, sloTtftNs, waitNs } from './estimate.ts';
import { telemetryRefresh } from './parameters.ts';
import { numberOf, type RouterKind } from './router.ts';
import { bestAtRandom, promptRouter, put } from './scored.ts';

/**
 * Models of different sizes behind one router: a request goes to the smallest model that is said to be large enough, or to a
 * larger one where the queue for it is longer than the larger size costs:
 *
 *   score = −TTFT estimate ÷ TTFT objective − decode pass ÷ TPOT objective − price · sizes above the one asked for
 *
 * Models that are too small are no candidates. Of a request it knows what a classifier says, and its length.
 */
export const complexity: RouterKind = {
  id: 'complexity',
  label: 'Smallest model that will do',
  help: 'Sends each request to the smallest model that a classifier holds to be large enough, and up a size where its queue is too long.',
  terms: [
    { id: 'ttft', meaning: 'minus estimated time to first token ÷ TTFT SLO' },
    { id: 'tpot', meaning: 'minus the decode pass once the request has joined ÷ TPOT SLO' },
    { id: 'size', meaning: 'minus sizes above the one asked for × price' },
  ],
  parameters: [
    telemetryRefresh(0),
    {
      kind: 'number',
      id: 'size_price',
      label: 'Price of a size',
      group: 'policy',
      unit: '× objective',
      min: 0,
      max: 100,
      step: 0.1,
      default: 1,
      help: 'How many TTFT objectives a request waits for the size it asked for before the next larger one is as good. Large: never.',
    },
  ],
  needs: { telemetry: true, prefix: true },
  create: (context) => {
    const { cluster } = context;
    const price = numberOf(context.parameters, 'size_price', 1);
    const ttftSlo = sloTtftNs(cluster);
    const tpotSlo = sloTpotNs(cluster);
    const rank = (i: number): number => cluster.modelRank?.[i] ?? 0;
    return promptRouter(context, (request, telemetry, sheet, candidates) => {
      let top = 0;
      for (const i of candidates) top = Math.max(top, rank(i));
      // Where nothing is said of it, or no model is large enough, the largest must do.
      const wanted = Math.min(request.complexity ?? top, top);
      const able = candidates.filter((i) => rank(i) >= wanted);
      for (const i of able) {
        const ttft = waitNs(cluster, telemetry, i) + ownPrefillNs(cluster, telemetry, request, i);
        const pass = decodePassNs(cluster, telemetry, i, 1, request.promptTokens);
        put(sheet, i, -ttft / ttftSlo, -pass / tpotSlo, -price * (rank(i) - wanted));
      }
      return bestAtRandom(sheet, able, context.random);
    });
  },
};
