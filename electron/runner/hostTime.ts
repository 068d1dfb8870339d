import type { HostTime } from '../../workloads/run/engine.ts';

/** Timers of Node wake up to a millisecond late: the last stretch of a precise sleep is spun through. */
const spinNs = 1.5e6;
/** A sleep that is not precise is no shorter than a timer can be. */
const leastTimerMs = 1;

/** The clock of a run that serves in real time; its zero is the moment in which it is made. */
export function hostTime(): HostTime {
  const origin = process.hrtime.bigint();
  const now = (): number => Number(process.hrtime.bigint() - origin);
  let end: (() => void) | undefined;
  return {
    now,
    wake: () => end?.(),
    sleep: (at, precise) =>
      new Promise((resolve) => {
        let timer: NodeJS.Timeout | undefined;
        let turn: NodeJS.Immediate | undefined;
        const finish = (): void => {
          end = undefined;
          if (timer !== undefined) clearTimeout(timer);
          if (turn !== undefined) clearImmediate(turn);
          resolve();
        };
        end = finish;
        const spin = (): void => {
          if (now() >= at) finish();
          else turn = setImmediate(spin);
        };
        const left = at - now() - (precise ? spinNs : 0);
        if (left > 0) timer = setTimeout(precise ? spin : finish, Math.max(leastTimerMs, left / 1e6));
        else if (precise) spin();
        else turn = setImmediate(finish);
      }),
  };
}
