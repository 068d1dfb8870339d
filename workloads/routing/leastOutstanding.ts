import { best } from './candidates.ts';
import { telemetryRefresh } from './parameters.ts';
import type { RouterKind } from './router.ts';
import { outstanding, promptRouter, put } from './scored.ts';

/** Joins the shortest queue by number of requests (Vidur's LOR, splitwise-sim's jsq). */
export const leastOutstanding: RouterKind = {
  id: 'least_outstanding',
  label: 'Least outstanding',
  help: 'The instance with the fewest requests, waiting or running; ties go to the lowest index.',
  terms: [{ id: 'requests', meaning: 'minus requests on the instance' }],
  parameters: [telemetryRefresh(0)],
  needs: { telemetry: true, prefix: false },
  create: (context) =>
    promptRouter(context, (_request, telemetry, sheet, candidates) => {
      for (const i of candidates) put(sheet, i, -outstanding(telemetry, i));
      return best(sheet, candidates);
    }),
};
