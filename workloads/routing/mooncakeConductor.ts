import { best } from './candidates.ts';
import { ownPrefillNs, transferNs, waitNs } from './estimate.ts';
import { telemetryRefresh } from './parameters.ts';
import { numberOf, type RouterKind } from './router.ts';
import { promptRouter, put } from './scored.ts';

/**
 * Mooncake's conductor, Algorithm 1 (FAST'25): per prefill instance
 *
 *   TTFT = T_queue + T_prefill(prompt, prefix) [+ T_transfer]
 *
 * with the instance's own prefix, or with the best one in the cluster, fetched over the link, where it is longer by more than
 * `kvcache_balancing_threshold`; the least TTFT wins. Here no prompt cache is fetched between instances, so the transfer
 * branch is scored as what it would cost and the instance computes its own: the choice differs, the outcome stays honest.
 */
export const mooncakeConductor: RouterKind = {
  id: 'mooncake_conductor',
  label: 'Mooncake conductor',
  help: 'Least estimated time to first token: queue, plus what the prefix cache leaves to compute.',
  terms: [
    { id: 'queue', meaning: 'minus estimated wait, s' },
    { id: 'prefill', meaning: 'minus estimated prefill of what is not cached, s' },
  ],
  parameters: [
    telemetryRefresh(0),
    {
      kind: 'number',
      id: 'kvcache_balancing_threshold',
      label: 'Balancing threshold',
      group: 'policy',
      unit: '',
      min: 1,
      max: 100,
      default: 100,
      help: 'Ratio of the best prefix to the instance’s own from which fetching it would be considered.',
    },
  ],
  needs: { telemetry: true, prefix: true },
  create: (context) => {
    const { cluster } = context;
    const threshold = numberOf(context.parameters, 'kvcache_balancing_threshold', 100);
    return promptRouter(context, (request, telemetry, sheet, candidates) => {
      let most = 0;
      for (const i of candidates) most = Math.max(most, request.cachedTokens[i] ?? 0);
      for (const i of candidates) {
        const own = request.cachedTokens[i] ?? 0;
        let prefill = ownPrefillNs(cluster, telemetry, request, i);
        if (most > threshold * Math.max(1, own)) {
          const left = Math.max(1, request.promptTokens - most) / Math.max(1, request.promptTokens - own);
          prefill = Math.min(prefill, prefill * left + transferNs(cluster, most - own));
        }
        put(sheet, i, -waitNs(cluster, telemetry, i) / 1e9, -prefill / 1e9);
      }
      return best(sheet, candidates);
    });
  },
};
