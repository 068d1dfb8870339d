import type { Ns } from '../../units.ts';

/** The device's times (CLOCK_MONOTONIC) on a replicate's clock. Both are read once, one right after the other. */
export class DeviceClock {
  private readonly zero: bigint;

  constructor(monotonic: () => bigint, now: () => Ns) {
    // The reading of the run's clock is framed by two of the monotonic one; the best of a few has the narrowest frame.
    let best = { width: Number.POSITIVE_INFINITY, zero: 0n };
    for (let i = 0; i < 8; i++) {
      const before = monotonic();
      const at = now();
      const width = Number(monotonic() - before);
      if (width < best.width)
        best = { width, zero: before + BigInt(Math.round(width / 2)) - BigInt(Math.round(at)) };
    }
    this.zero = best.zero;
    this.frameNs = best.width;
  }

  /** Half of it bounds the error of the reading. */
  readonly frameNs: Ns;

  at(device: bigint): Ns {
    return Number(device - this.zero);
  }
}
