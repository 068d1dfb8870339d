import type { Ns } from '../../units.ts';

/** One direction of a link: carries one transfer at a time, in the order in which they were asked for. */
export class Port {
  freeNs: Ns = 0;
  busyNs: Ns = 0;
  /** For tests: every transfer from and to. */
  log: [Ns, Ns][] | undefined;

  take(start: Ns, end: Ns): void {
    this.freeNs = end;
    this.busyNs += end - start;
    this.log?.push([start, end]);
  }

  /** Time with a transfer in progress, up to t. */
  busyUntil(t: Ns): Ns {
    return this.busyNs - Math.max(0, this.freeNs - t);
  }
}

/** The ports that a transfer takes, all of them from its start to its end. */
export type Path = readonly Port[];

/** When a transfer that is asked for at t can start. */
export function earliest(path: Path, t: Ns): Ns {
  let start = t;
  for (const port of path) if (port.freeNs > start) start = port.freeNs;
  return start;
}

/** Takes the path for `ns` from when all of it is free; the time at which that starts. */
export function occupy(path: Path, t: Ns, ns: Ns): Ns {
  const start = earliest(path, t);
  for (const port of path) port.take(start, start + ns);
  return start;
}
