import type { RouterKind } from './router.ts';
import { promptRouter, put } from './scored.ts';

/** Any instance, each as likely: what independent Poisson splitting assumes, and the worst that is still fair. */
export const random: RouterKind = {
  id: 'random',
  label: 'Random',
  help: 'Each request goes to any instance with equal probability.',
  terms: [{ id: 'draw', meaning: '1 for the instance that was drawn' }],
  parameters: [],
  needs: { telemetry: true, prefix: false },
  create: (context) =>
    promptRouter(context, (_request, _telemetry, sheet, candidates) => {
      const chosen = candidates[context.random.integer(0, candidates.length - 1)] ?? 0;
      for (const i of candidates) put(sheet, i, i === chosen ? 1 : 0);
      return chosen;
    }),
};
