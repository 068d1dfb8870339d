import type { Blocks, Ns } from '../../units.ts';

/** Admitted requests whose prefix comes up from a lower tier: they hold their blocks and are not yet in the batch. */
export class Incoming {
  private readonly list: { readonly request: number; readonly blocks: Blocks; readonly readyNs: Ns }[] = [];

  get length(): number {
    return this.list.length;
  }

  /** When the next fetch after t is over; Infinity where none is. */
  nextAfter(t: Ns): Ns {
    let next = Number.POSITIVE_INFINITY;
    for (const { readyNs } of this.list) if (readyNs > t) next = Math.min(next, readyNs);
    return next;
  }

  push(request: number, blocks: Blocks, readyNs: Ns): void {
    this.list.push({ request, blocks, readyNs });
  }

  /** Gives everything up. Returns its requests, in order. */
  clear(): number[] {
    return this.list.splice(0).map(({ request }) => request);
  }

  /** Hands over, in order of admission, the requests whose blocks are there at t, as long as `join` takes them. */
  takeReady(t: Ns, join: (request: number, blocks: Blocks) => boolean): void {
    let kept = 0;
    let full = false;
    for (const entry of this.list) {
      if (!full && entry.readyNs <= t && join(entry.request, entry.blocks)) continue;
      if (entry.readyNs <= t) full = true;
      this.list[kept++] = entry;
    }
    this.list.length = kept;
  }
}
