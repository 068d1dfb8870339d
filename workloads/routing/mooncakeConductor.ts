import { transferNs } from './estimate.ts';
import { telemetryRefresh } from './parameters.ts';
import { flagOf, numberOf, type RouterKind } from './router.ts';
import { bestAtRandom, promptRouter, put } from './scored.ts';

/**
 * Mooncake's conductor, Algorithm 1 (FAST'25): per prefill instance
 *
 *   TTFT = T_queue + T_prefill(prompt, prefix) [+ T_transfer]
 *
 * with the instance's own prefix, or with the best one in the cluster, fetched over the link, where it is longer by more than
 * `kvcache_balancing_threshold`; the least TTFT wins, one at random among equals. Times come from rates that were profiled
 * offline, as Mooncake's do: a rate measured on the fly differs from instance to instance by the batches it happened to have,
 * and the least such difference would draw all prompts of equally idle instances to one of them. Where `fetch_prefix` is set, that transfer is made
 * (`sim/prefixFetches.ts`). Else the transfer branch is scored as what it would cost and the instance computes its own: the
 * choice differs, the outcome stays honest.
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
    {
      kind: 'boolean',
      id: 'fetch_prefix',
      label: 'Fetch prefixes',
      group: 'policy',
      default: false,
      help: 'A prompt fetches the best prefix from the instance that has it, over the link, before it queues. Else that is only scored.',
    },
  ],
  needs: { telemetry: true, prefix: true },
  fetchesPrefixes: (parameters) => flagOf(parameters, 'fetch_prefix', false),
  create: (context) => {
    const { cluster } = context;
    const threshold = numberOf(context.parameters, 'kvcache_balancing_threshold', 100);
    const fetches = flagOf(context.parameters, 'fetch_prefix', false);
    /** Whom the last prompt is to fetch from, per instance that it could go to. */
    const source = new Int32Array(cluster.instances);
    let fetchFrom = -1;
    const nsPerToken = (i: number): number => 1e9 / (cluster.profiledPrefillRate[i] ?? 1);
    const router = promptRouter(context, (request, telemetry, sheet, candidates) => {
      let most = 0;
      let holder = -1;
      for (const i of candidates) {
        const cached = request.cachedTokens[i] ?? 0;
        if (cached <= most) continue;
        most = cached;
        holder = i;
      }
      for (const i of candidates) {
        const own = request.cachedTokens[i] ?? 0;
        source[i] = -1;
        let prefill = Math.max(1, request.promptTokens - own) * nsPerToken(i);
        if (most > threshold * Math.max(1, own)) {
          const left = Math.max(1, request.promptTokens - most) / Math.max(1, request.promptTokens - own);
          const fetched = prefill * left + transferNs(cluster, most - own);
          if (fetched < prefill) {
            prefill = fetched;
            source[i] = holder;
          }
        }
        const waiting = (telemetry.pendingPrefill[i] ?? 0) + (telemetry.sentPromptTokens[i] ?? 0);
        put(sheet, i, (-waiting * nsPerToken(i)) / 1e9, -prefill / 1e9);
      }
      const chosen = bestAtRandom(sheet, candidates, context.random);
      fetchFrom = source[chosen] ?? -1;
      return chosen;
    });
    return fetches ? { ...router, fetchFrom: () => fetchFrom } : router;
  },
};
