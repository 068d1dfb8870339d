/** How often a process that ended may be started again: three times within a minute, a little later each time. */
export class RestartBudget {
  private readonly endings: number[] = [];
  private readonly limit: number;
  private readonly windowMs: number;

  constructor(limit = 3, windowMs = 60_000) {
    this.limit = limit;
    this.windowMs = windowMs;
  }

  /** It ended now: how long to wait before the next start, ms; undefined: it stays down. */
  next(nowMs: number): number | undefined {
    while ((this.endings[0] ?? nowMs) < nowMs - this.windowMs) this.endings.shift();
    this.endings.push(nowMs);
    if (this.endings.length > this.limit) return undefined;
    return 100 * 4 ** (this.endings.length - 1);
  }
}
