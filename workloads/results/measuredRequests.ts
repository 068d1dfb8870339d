import type { MeasuredRequest } from '../calibration/measuredRun.ts';
import { InputError } from '../run/inputError.ts';
import type { ResultRequest } from './measuredResult.ts';

type Settings = Readonly<Record<string, string | number | boolean>>;

/**
 * The completed requests as a calibration needs them; InputError where arrivals, lengths or times are not known.
 * A closed loop without send times (vLLM before `start_times`, rate inf) is laid out again: so many at a time, in the order of
 * the file, each when the one before it on its place ended.
 */
export function measuredRequests(
  name: string,
  requests: readonly ResultRequest[],
  settings: Settings = {},
): MeasuredRequest[] {
  const known = requests.some(({ arrivalMs }) => arrivalMs !== undefined);
  const completed = (known ? requests : closedLoop(requests, settings)).filter(
    ({ status }) => status === 'completed',
  );
  const measured = completed.flatMap((r): MeasuredRequest[] => {
    const { arrivalMs, ttftMs, e2eMs, promptTokens, outputTokens } = r;
    if (arrivalMs === undefined || ttftMs === undefined || e2eMs === undefined) return [];
    if (promptTokens === undefined || outputTokens === undefined || outputTokens < 1) return [];
    const queued = arrivalMs / 1000;
    return [
      { promptTokens, outputTokens, queued, first: queued + ttftMs / 1000, last: queued + e2eMs / 1000 },
    ];
  });
  if (measured.length === 0) {
    const lacks = lackOf(completed);
    throw new InputError(
      `${name}: ${lacks}; a calibration needs arrival, TTFT, latency and both lengths of each request`,
    );
  }
  const start = measured.reduce((least, { queued }) => Math.min(least, queued), Number.POSITIVE_INFINITY);
  return measured
    .map((r) => ({ ...r, queued: r.queued - start, first: r.first - start, last: r.last - start }))
    .sort((a, b) => a.queued - b.queued);
}

function closedLoop(requests: readonly ResultRequest[], settings: Settings): readonly ResultRequest[] {
  const { request_rate: rate, max_concurrency: limit } = settings;
  if (rate !== 'inf') return requests;
  const places = typeof limit === 'number' && limit >= 1 ? Math.floor(limit) : requests.length;
  const free = new Float64Array(Math.max(1, Math.min(places, requests.length)));
  return requests.map((request) => {
    if (request.e2eMs === undefined) return request;
    let next = 0;
    for (let i = 1; i < free.length; i++) if ((free[i] ?? 0) < (free[next] ?? 0)) next = i;
    const arrivalMs = free[next] ?? 0;
    free[next] = arrivalMs + request.e2eMs;
    return { ...request, arrivalMs };
  });
}

function lackOf(completed: readonly ResultRequest[]): string {
  if (completed.length === 0) return 'no completed request (aggregates only)';
  const [first] = completed;
  if (first?.arrivalMs === undefined) return 'it does not say when each request was sent (start_times)';
  if (first.ttftMs === undefined) return 'it does not hold the TTFT of each request';
  if (first.e2eMs === undefined) return 'it does not hold the latency of each request';
  return 'it does not hold the lengths of each request';
}
