import type { Jobs } from './jobs.ts';

/**
 * First come, first served on c servers: departure time of each job. One server is Lindley's recursion,
 *
 *   start = max(arrival, departure of the job before)
 *
 * several are Kiefer and Wolfowitz': each job takes the server that is free first. Both are exact; no events are queued.
 */
export function firstComeFirstServed(jobs: Jobs, servers: number): Float64Array {
  const { count, arrival, size } = jobs;
  const departure = new Float64Array(count);
  if (servers === 1) {
    let free = 0;
    for (let i = 0; i < count; i++) {
      const at = arrival[i] ?? 0;
      free = Math.max(at, free) + (size[i] ?? 0);
      departure[i] = free;
    }
    return departure;
  }
  // A heap of the times at which servers become free, the earliest on top.
  const free = new Float64Array(servers);
  for (let i = 0; i < count; i++) {
    const at = arrival[i] ?? 0;
    const earliest = free[0] ?? 0;
    const end = Math.max(at, earliest) + (size[i] ?? 0);
    departure[i] = end;
    let place = 0;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= servers) break;
      if (child + 1 < servers && (free[child + 1] ?? 0) < (free[child] ?? 0)) child++;
      const below = free[child] ?? 0;
      if (below >= end) break;
      free[place] = below;
      place = child;
    }
    free[place] = end;
  }
  return departure;
}
