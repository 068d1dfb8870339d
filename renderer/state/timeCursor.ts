/** The one time cursor of the window. Not React state: every chart moves its own line. */
export class TimeCursor {
  /** ms since the run's start; undefined: the pointer is over no chart. */
  timeMs: number | undefined;
  /** The chart under the pointer. */
  owner: string | undefined;
  private readonly listeners = new Set<() => void>();

  move(timeMs: number | undefined, owner: string | undefined): void {
    if (this.timeMs === timeMs && this.owner === owner) return;
    this.timeMs = timeMs;
    this.owner = owner;
    for (const listener of this.listeners) listener();
  }

  onMove(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }
}
