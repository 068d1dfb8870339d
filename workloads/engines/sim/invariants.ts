import type { Replicate } from '../../cluster/replicate.ts';
import { checkInstance } from '../../serving/checkInstance.ts';
import { Phase } from '../../serving/requestTable.ts';

/**
 * What must hold after every event, checked the slow way. Throws an error that names what broke. Used by tests
 * (`replicate.onEvent = invariantsOf(replicate)`); list after llm-d's simulator.
 */
export function invariantsOf(replicate: Replicate): () => void {
  const { requests, instances } = replicate;
  const phases = new Uint8Array(requests.count);
  let clock = 0;
  return () => {
    if (replicate.clock < clock) throw new Error(`the clock ran back from ${clock} to ${replicate.clock}`);
    clock = replicate.clock;

    // Conservation: every request that arrived is in exactly one place.
    const places = new Int32Array(requests.count);
    const seen = (r: number): void => {
      places[r] = (places[r] ?? 0) + 1;
    };
    for (const instance of instances) {
      for (let i = 0; i < instance.waiting.length; i++) seen(instance.waiting.at(i));
      for (let i = 0; i < instance.ready.length; i++) seen(instance.ready.at(i));
      const { swap } = instance;
      for (let i = 0; i < (swap?.queue.length ?? 0); i++) seen(swap?.queue.at(i) ?? -1);
      for (let r = instance.firstRunning; r >= 0; r = requests.runAfter[r] ?? -1) seen(r);
    }
    let completed = 0;
    for (let r = 0; r < requests.count; r++) {
      const phase = requests.phase[r] ?? 0;
      if (phase === Phase.moving || phase === Phase.away || phase === Phase.stranded) seen(r);
      if (phase === Phase.completed || phase === Phase.rejected) {
        seen(r);
        completed++;
      }
      const expected = r < replicate.arrived && requests.came(r) ? 1 : 0;
      if (places[r] !== expected) throw new Error(`request ${r} (phase ${phase}) is in ${places[r]} places`);

      // Lifecycle: what ended stays ended; times are in order.
      const before = phases[r] ?? 0;
      const isOver = before === Phase.completed || before === Phase.rejected;
      if (isOver && phase !== before) throw new Error(`request ${r} left phase ${before}`);
      phases[r] = phase;
      const arrival = requests.traffic.arrivalNs[r] ?? 0;
      const scheduled = requests.scheduledNs[r] ?? Number.NaN;
      const first = requests.firstTokenNs[r] ?? Number.NaN;
      const finish = requests.finishNs[r] ?? Number.NaN;
      if (scheduled < arrival || first <= scheduled || finish < first) {
        throw new Error(`request ${r}: ${arrival}, ${scheduled}, ${first}, ${finish} are out of order`);
      }
      if (phase === Phase.completed && finish > clock) {
        throw new Error(`request ${r} ended at ${finish}, after the clock's ${clock}`);
      }
    }
    if (completed !== replicate.completed + replicate.rejected)
      throw new Error('completed requests miscounted');

    for (const instance of instances) {
      checkInstance(instance);
      // Causality: nothing was done that starts after now; nothing is in progress that should have ended before.
      const latest = Math.max(clock, instance.pausedUntil);
      if (instance.flying ? instance.startNs > clock : instance.now > latest) {
        throw new Error(`instance ${instance.index} is ahead of the clock`);
      }
    }
  };
}
