/** One piece of work after another: two prints at once would share one session. */
export class OneAtATime {
  private last: Promise<unknown> = Promise.resolve();

  run<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.last.then(work);
    // The next task starts when this one has ended, even if it failed; the error goes to this task's own caller.
    this.last = turn.catch(() => undefined);
    return turn;
  }
}
