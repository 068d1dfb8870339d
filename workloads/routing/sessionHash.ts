import { absentInt32 } from '../run/tables.ts';
import { best } from './candidates.ts';
import { telemetryRefresh } from './parameters.ts';
import type { RouterKind } from './router.ts';
import { outstanding, promptRouter, put } from './scored.ts';

/** Rendezvous hashing: the instance with the highest mix of session and index; a new instance takes only its share. */
function mixed(session: number, instance: number): number {
  let h = Math.imul(session ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(instance + 1, 0xc2b2ae35);
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
  h = Math.imul(h ^ (h >>> 12), 0x297a2d39);
  return (h ^ (h >>> 15)) >>> 0;
}

/** Sessions stick to an instance (production-stack's session policy); requests without a session go where fewest are. */
export const sessionHash: RouterKind = {
  id: 'session_hash',
  label: 'Session hash',
  help: 'All requests of a session go to one instance, chosen by hash, whatever its load; without a session, to the least loaded.',
  terms: [
    { id: 'hash', meaning: 'hash of session and instance, 0 .. 1' },
    { id: 'requests', meaning: 'minus requests on the instance, where there is no session' },
  ],
  parameters: [telemetryRefresh(0)],
  needs: { telemetry: true, prefix: false },
  create: (context) =>
    promptRouter(context, (request, telemetry, sheet, candidates) => {
      const known = request.session !== absentInt32;
      for (const i of candidates) {
        put(
          sheet,
          i,
          known ? mixed(request.session, i) / 4294967296 : 0,
          known ? 0 : -outstanding(telemetry, i),
        );
      }
      return best(sheet, candidates);
    }),
};
