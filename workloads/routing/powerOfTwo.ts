import { telemetryRefresh } from './parameters.ts';
import type { RouterKind } from './router.ts';
import { outstanding, promptRouter, put } from './scored.ts';

/** Two instances drawn at random, the less loaded one taken: nearly as good as the shortest queue, and no herding on stale news. */
export const powerOfTwo: RouterKind = {
  id: 'power_of_two',
  label: 'Power of two choices',
  help: 'Draws two instances and takes the one with fewer requests.',
  terms: [{ id: 'requests', meaning: 'minus requests on the instance; only the two drawn are candidates' }],
  parameters: [telemetryRefresh(0)],
  needs: { telemetry: true, prefix: false },
  create: (context) =>
    promptRouter(context, (_request, telemetry, sheet, candidates) => {
      const n = candidates.length;
      const a = context.random.integer(0, n - 1);
      const b = n < 2 ? a : (a + 1 + context.random.integer(0, n - 2)) % n;
      const first = candidates[a] ?? 0;
      const second = candidates[b] ?? 0;
      put(sheet, first, -outstanding(telemetry, first));
      put(sheet, second, -outstanding(telemetry, second));
      return (sheet.total[second] ?? 0) > (sheet.total[first] ?? 0) ? second : first;
    }),
};
