import { firstComeFirstServed } from './fcfs.ts';
import { JobHeap } from './jobHeap.ts';
import type { Jobs } from './jobs.ts';
import type { QueueSpec } from './queueSpec.ts';
import { type WaitingRoom, waitingRoom } from './waitingRoom.ts';

/** Departure time of each job; NaN for one that was lost. */
export function serve(spec: QueueSpec, jobs: Jobs): Float64Array {
  switch (spec.discipline) {
    case 'fcfs':
      if (spec.capacity === undefined) return firstComeFirstServed(jobs, spec.servers);
      return uninterrupted(jobs, spec.servers, waitingRoom('fcfs', jobs), spec.capacity);
    case 'sjf':
    case 'priority':
    case 'lifo':
      return uninterrupted(
        jobs,
        spec.servers,
        waitingRoom(spec.discipline, jobs),
        spec.capacity ?? Number.POSITIVE_INFINITY,
      );
    case 'srpt':
      return shortestRemaining(jobs, spec.servers);
    case 'ps':
      return processorSharing(jobs, spec.servers);
    default: {
      const never: never = spec.discipline;
      return never;
    }
  }
}

/** Any discipline that serves a job to its end: two events per job, its arrival and its departure. */
function uninterrupted(jobs: Jobs, servers: number, waiting: WaitingRoom, capacity: number): Float64Array {
  const { count, arrival, size } = jobs;
  const departure = new Float64Array(count);
  const inService = new JobHeap();
  const start = (job: number, now: number): void => {
    const end = now + (size[job] ?? 0);
    departure[job] = end;
    inService.push(end, job);
  };
  for (let i = 0; i < count; i++) {
    const now = arrival[i] ?? 0;
    // A departure at the moment of an arrival comes first: its server is free for the arrival.
    while (inService.minKey <= now) {
      const end = inService.minKey;
      inService.pop();
      if (waiting.size > 0) start(waiting.pop(), end);
    }
    if (inService.size < servers) start(i, now);
    else if (inService.size + waiting.size < capacity) waiting.push(i);
    else departure[i] = Number.NaN;
  }
  while (waiting.size > 0) {
    const end = inService.minKey;
    inService.pop();
    start(waiting.pop(), end);
  }
  return departure;
}

/**
 * Shortest remaining processing time: the c jobs with the least left are served. Jobs in service all run at rate 1, so
 * among them the one with the most left is the one that would end last, and that does not change while they run.
 */
function shortestRemaining(jobs: Jobs, servers: number): Float64Array {
  const { count, arrival, size } = jobs;
  const departure = new Float64Array(count);
  const waiting = new JobHeap();
  const remaining = new Map<number, number>();
  // Few servers, so plain arrays in order of end.
  const ends: number[] = [];
  const running: number[] = [];
  const start = (job: number, end: number): void => {
    let at = ends.length;
    while (at > 0 && (ends[at - 1] ?? 0) > end) at--;
    ends.splice(at, 0, end);
    running.splice(at, 0, job);
  };
  const finishFirst = (): void => {
    const end = ends.shift() ?? 0;
    departure[running.shift() ?? 0] = end;
    if (waiting.size === 0) return;
    const next = waiting.pop();
    start(next, end + (remaining.get(next) ?? 0));
    remaining.delete(next);
  };
  for (let i = 0; i < count; i++) {
    const now = arrival[i] ?? 0;
    while ((ends[0] ?? Number.POSITIVE_INFINITY) <= now) finishFirst();
    const end = now + (size[i] ?? 0);
    const last = ends.at(-1) ?? Number.NEGATIVE_INFINITY;
    if (ends.length < servers) start(i, end);
    else if (end < last) {
      const job = running.pop() ?? 0;
      ends.pop();
      remaining.set(job, last - now);
      waiting.push(last - now, job);
      start(i, end);
    } else {
      remaining.set(i, size[i] ?? 0);
      waiting.push(size[i] ?? 0, i);
    }
  }
  while (ends.length > 0) finishFirst();
  return departure;
}

/**
 * Processor sharing: each of N jobs gets min(1, c/N) of a server. In virtual time, which passes at that rate, a job ends
 * when its size has passed since its arrival; so jobs end in order of (virtual arrival + size), whatever comes later.
 */
function processorSharing(jobs: Jobs, servers: number): Float64Array {
  const { count, arrival, size } = jobs;
  const departure = new Float64Array(count);
  const inside = new JobHeap();
  let now = 0;
  let virtual = 0;
  const advance = (until: number): void => {
    while (inside.size > 0) {
      const rate = inside.size <= servers ? 1 : servers / inside.size;
      const end = now + (inside.minKey - virtual) / rate;
      if (end > until) {
        virtual += (until - now) * rate;
        break;
      }
      virtual = inside.minKey;
      now = end;
      departure[inside.pop()] = end;
    }
    // An empty system begins virtual time anew, so that it keeps its precision in a long run.
    if (inside.size === 0) virtual = 0;
    now = until;
  };
  for (let i = 0; i < count; i++) {
    advance(arrival[i] ?? 0);
    inside.push(virtual + (size[i] ?? 0), i);
  }
  advance(Number.POSITIVE_INFINITY);
  return departure;
}
