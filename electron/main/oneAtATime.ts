/** One piece of work after another: two prints at once would share one session. */
export class OneAtATime {
  private last: Promise<unknown> = Promise.resolve();

  run<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.last.then(work);
    // The next one starts when this one ended, whatever came of it; its own caller is told.
    this.last = turn.catch(() => undefined);
    return turn;
  }
}
