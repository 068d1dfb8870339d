import { telemetryRefresh } from './parameters.ts';
import type { RouterKind } from './router.ts';
import { bestAtRandom, outstanding, promptRouter, put } from './scored.ts';

/**
 * Joins the shortest queue by number of requests (Vidur's LOR, splitwise-sim's jsq). Equal instances are drawn at random, as load
 * balancers in service do; both simulators take the first of them, which sends everything to one instance of an idle fleet.
 */
export const leastOutstanding: RouterKind = {
  id: 'least_outstanding',
  label: 'Least outstanding',
  help: 'The instance with the fewest requests, waiting or running; one at random among equals.',
  terms: [{ id: 'requests', meaning: 'minus requests on the instance' }],
  parameters: [telemetryRefresh(0)],
  needs: { telemetry: true, prefix: false },
  create: (context) =>
    promptRouter(context, (_request, telemetry, sheet, candidates) => {
      for (const i of candidates) put(sheet, i, -outstanding(telemetry, i));
      return bestAtRandom(sheet, candidates, context.random);
    }),
};
