import type { Traffic } from '../traffic/traffic.ts';
import type { RunSpec } from './spec.ts';
import { absentInt32 } from './tables.ts';

/** What a reader of the run must know about its traffic: what a policy needs and the traffic has not, and what was dropped. */
export function trafficWarnings(spec: RunSpec, traffic: Traffic): string[] {
  const warnings: string[] = [];
  const withSession = traffic.session.reduce((sum, s) => sum + (s === absentInt32 ? 0 : 1), 0);
  if (spec.policy.router === 'session_hash' && withSession < traffic.requests)
    warnings.push(
      `router session_hash needs sessions, and ${withSession === 0 ? 'the traffic has none' : `${traffic.requests - withSession} of ${traffic.requests} requests have none`}: those go to the least loaded instance`,
    );
  if (spec.policy.view?.deal === 'session' && withSession === 0)
    warnings.push(
      'routers are dealt requests by session, and the traffic has none: the second block of the prompt, or the request itself, stands for it',
    );
  const { source } = traffic;
  if (source?.dropped_empty !== undefined)
    warnings.push(
      `${source.dropped_empty} of ${source.rows} requests of the trace have no prompt or output tokens and were dropped`,
    );
  if (source?.dropped_oversized !== undefined)
    warnings.push(
      `${source.dropped_oversized} of ${source.rows} requests of the trace fit into no KV memory and were dropped`,
    );
  return warnings;
}
