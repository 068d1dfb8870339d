import { telemetryRefresh } from './parameters.ts';
import { numberOf, type RouterKind } from './router.ts';
import { bestAtRandom, outstanding, promptRouter, put } from './scored.ts';

/** vLLM production-stack's loadaware: matched share − β (load − mean)/max(1, mean); β 1. */
export const loadAware: RouterKind = {
  id: 'load_aware',
  label: 'Production-stack load-aware',
  help: 'Share of the prompt in the cache, less how far the instance’s load is above the mean; one at random among equals.',
  terms: [
    { id: 'match', meaning: 'share of the prompt in the cache' },
    { id: 'load', meaning: 'minus β × (requests − mean)/max(1, mean)' },
  ],
  parameters: [
    telemetryRefresh(0),
    {
      kind: 'number',
      id: 'beta',
      label: 'β',
      group: 'policy',
      unit: '',
      min: 0,
      max: 100,
      step: 0.1,
      default: 1,
      help: 'Price of load. Larger spreads requests more evenly and finds fewer of their prefixes.',
    },
  ],
  needs: { telemetry: true, prefix: true },
  create: (context) => {
    const beta = numberOf(context.parameters, 'beta', 1);
    return promptRouter(context, (request, telemetry, sheet, candidates) => {
      let sum = 0;
      for (const i of candidates) sum += outstanding(telemetry, i);
      const mean = sum / candidates.length;
      for (const i of candidates) {
        put(
          sheet,
          i,
          (request.cachedTokens[i] ?? 0) / request.promptTokens,
          (-beta * (outstanding(telemetry, i) - mean)) / Math.max(1, mean),
        );
      }
      return bestAtRandom(sheet, candidates, context.random);
    });
  },
};
