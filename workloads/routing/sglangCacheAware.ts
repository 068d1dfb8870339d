import { telemetryRefresh } from './parameters.ts';
import { numberOf, type RouterKind } from './router.ts';
import { bestAtRandom, outstanding, promptRouter, put } from './scored.ts';

/**
 * SGLang's model gateway, policy cache_aware:
 *
 *   if max − min > balance_abs and max > balance_rel × min      → the shortest queue
 *   else if the best match ratio > cache_threshold              → the best match
 *   else                                                        → the lowest load, of equals the smallest tree
 *
 * The tree of an instance is what was sent to it: here the prompt tokens that its cache did not have. Of several instances that
 * match equally well the gateway takes any; here one is drawn.
 * Source: sglang docs, advanced features, router; defaults 0.3, 64, 1.5; the smallest tree: `get_smallest_tenant` of its tree.
 */
export const sglangCacheAware: RouterKind = {
  id: 'sglang_cache_aware',
  label: 'SGLang cache-aware',
  help: 'Shortest queue when the load is out of balance; else the best prefix if it is long enough; else the lowest load, and among equals the one that was sent the least.',
  terms: [
    { id: 'match', meaning: 'share of the prompt in the cache, where the match decides' },
    { id: 'requests', meaning: 'minus requests on the instance, where the load decides' },
  ],
  parameters: [
    telemetryRefresh(0),
    {
      kind: 'number',
      id: 'cache_threshold',
      label: 'Cache threshold',
      group: 'policy',
      unit: '',
      min: 0,
      max: 1,
      step: 0.05,
      default: 0.3,
      help: 'Least share of the prompt that must match for the cache to decide.',
    },
    {
      kind: 'integer',
      id: 'balance_abs',
      label: 'Imbalance, absolute',
      group: 'policy',
      unit: 'requests',
      min: 0,
      max: 100_000,
      default: 64,
      help: 'The load decides when the longest queue exceeds the shortest by more than this, and by the ratio below.',
    },
    {
      kind: 'number',
      id: 'balance_rel',
      label: 'Imbalance, relative',
      group: 'policy',
      unit: '',
      min: 1,
      max: 100,
      default: 1.5,
      help: 'See the absolute imbalance.',
    },
  ],
  needs: { telemetry: true, prefix: true },
  create: (context) => {
    const threshold = numberOf(context.parameters, 'cache_threshold', 0.3);
    const absolute = numberOf(context.parameters, 'balance_abs', 64);
    const relative = numberOf(context.parameters, 'balance_rel', 1.5);
    const tree = new Float64Array(context.cluster.instances);
    return promptRouter(context, (request, telemetry, sheet, candidates) => {
      let most = 0;
      let least = Number.POSITIVE_INFINITY;
      let match = 0;
      for (const i of candidates) {
        const load = outstanding(telemetry, i);
        most = Math.max(most, load);
        least = Math.min(least, load);
        match = Math.max(match, (request.cachedTokens[i] ?? 0) / request.promptTokens);
      }
      const balanced = !(most - least > absolute && most > relative * least);
      const follows = balanced && match > threshold;
      for (const i of candidates) {
        if (follows) put(sheet, i, (request.cachedTokens[i] ?? 0) / request.promptTokens, 0);
        else put(sheet, i, 0, -outstanding(telemetry, i));
      }
      let chosen = follows ? bestAtRandom(sheet, candidates, context.random) : (candidates[0] ?? 0);
      if (!follows) {
        for (const i of candidates) {
          const ahead = (sheet.total[i] ?? 0) - (sheet.total[chosen] ?? 0);
          if (ahead > 0 || (ahead === 0 && (tree[i] ?? 0) < (tree[chosen] ?? 0))) chosen = i;
        }
      }
      tree[chosen] = (tree[chosen] ?? 0) + request.promptTokens - (request.cachedTokens[chosen] ?? 0);
      return chosen;
    });
  },
};
