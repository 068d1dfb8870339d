import { telemetryRefresh } from './parameters.ts';
import type { RouterKind } from './router.ts';
import { firstBest, promptRouter, put } from './scored.ts';

/**
 * vLLM's own data-parallel balancer: least 4 × waiting + running. Statistics come every 100 ms; what it sent since counts as
 * waiting. The first of equals wins, and each request starts looking one instance further than the one before
 * (`eng_start_index` in vLLM's core client; releases up to 0.11 start at the same instance each time).
 */
export const vllmDp: RouterKind = {
  id: 'vllm_dp',
  label: 'vLLM data-parallel',
  help: 'Least 4 × waiting + running, from statistics published every 100 ms; equal instances take turns.',
  terms: [
    { id: 'waiting', meaning: 'minus 4 × requests that wait' },
    { id: 'running', meaning: 'minus requests in the batch' },
  ],
  parameters: [telemetryRefresh(100)],
  needs: { telemetry: true, prefix: false },
  create: (context) => {
    let start = 0;
    return promptRouter(context, (_request, telemetry, sheet, candidates) => {
      for (const i of candidates) {
        const waiting = (telemetry.waiting[i] ?? 0) + (telemetry.sentRequests[i] ?? 0);
        put(sheet, i, -4 * waiting, -(telemetry.running[i] ?? 0));
      }
      start = (start + 1) % candidates.length;
      return firstBest(sheet, candidates, start);
    });
  },
};
