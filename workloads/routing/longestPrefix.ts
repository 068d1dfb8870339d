import { best } from './candidates.ts';
import type { RouterKind } from './router.ts';
import { promptRouter, put } from './scored.ts';

/**
 * Greedy: the longest cached prefix wins, ties to the lowest index. Where all requests share one first block it sends
 * everything to one instance: kept because it shows why a prefix alone is no policy.
 */
export const longestPrefix: RouterKind = {
  id: 'longest_prefix',
  label: 'Longest prefix',
  help: 'The instance that has most of the prompt in its cache, whatever its load. A prefix that all requests share draws them all to one instance.',
  terms: [{ id: 'cached', meaning: 'prompt tokens in the instance’s cache' }],
  parameters: [],
  needs: { telemetry: true, prefix: true },
  create: (context) =>
    promptRouter(context, (request, _telemetry, sheet, candidates) => {
      for (const i of candidates) put(sheet, i, request.cachedTokens[i] ?? 0);
      return best(sheet, candidates);
    }),
};
