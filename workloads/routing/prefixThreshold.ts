import { best } from './candidates.ts';
import { numberOf, type RouterKind } from './router.ts';
import { promptRouter, put } from './scored.ts';

/** The longest prefix if it is long enough, else the instance that was given the fewest prompt tokens so far. */
export const prefixThreshold: RouterKind = {
  id: 'prefix_threshold',
  label: 'Prefix above a threshold',
  help: 'Follows the longest cached prefix only where it covers enough of the prompt; all other requests even out the prompt tokens given so far.',
  terms: [
    { id: 'cached', meaning: 'share of the prompt in the cache, where the best reaches the threshold' },
    { id: 'assigned', meaning: 'minus the instance’s share of all prompt tokens given so far' },
  ],
  parameters: [
    {
      kind: 'number',
      id: 'prefix_threshold',
      label: 'Prefix threshold',
      group: 'policy',
      unit: '',
      min: 0,
      max: 1,
      step: 0.05,
      default: 0.5,
      help: 'Least share of the prompt that must be cached for the prefix to decide.',
    },
  ],
  needs: { telemetry: true, prefix: true },
  create: (context) => {
    const threshold = numberOf(context.parameters, 'prefix_threshold', 0.5);
    const assigned = new Float64Array(context.cluster.instances);
    let total = 0;
    return promptRouter(context, (request, _telemetry, sheet, candidates) => {
      let most = 0;
      for (const i of candidates) most = Math.max(most, request.cachedTokens[i] ?? 0);
      const follows = most > 0 && most >= threshold * request.promptTokens;
      for (const i of candidates) {
        const share = total > 0 ? (assigned[i] ?? 0) / total : 0;
        const cached = request.cachedTokens[i] ?? 0;
        // Equal prefixes are decided by the load: hence both terms, the first one larger than the second can ever be.
        put(
          sheet,
          i,
          follows ? (2 * cached) / request.promptTokens : 0,
          follows && cached < most ? -2 : -share,
        );
      }
      const chosen = best(sheet, candidates);
      assigned[chosen] = (assigned[chosen] ?? 0) + request.promptTokens;
      total += request.promptTokens;
      return chosen;
    });
  },
};
