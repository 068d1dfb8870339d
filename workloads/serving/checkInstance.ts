import type { Instance } from './instance.ts';
import { Phase } from './requestTable.ts';
import { StaticBatcher } from './schedulers/staticBatcher.ts';

/** For tests: the counts that must agree with the lists, and the blocks that the requests here hold. Throws where one is broken. */
export function checkInstance(instance: Instance): void {
  const { requests, index, batcher } = instance;
  if (batcher instanceof StaticBatcher) {
    instance.pool.check(batcher.reserved);
    return;
  }
  let running = 0;
  let decoding = 0;
  let context = 0;
  let own = 0;
  for (let r = instance.firstRunning; r >= 0; r = requests.runAfter[r] ?? -1) {
    running++;
    if (requests.phase[r] === Phase.decoding) {
      decoding++;
      const tokens = (requests.traffic.promptTokens[r] ?? 0) + instance.generatedSoFar(r);
      context += tokens;
      own += instance.ownBlocks(r);
    } else own += requests.own[r] ?? 0;
  }
  if (running !== instance.running)
    throw new Error(`instance ${index}: ${running} running, ${instance.running} counted`);
  if (decoding !== instance.decoding || context !== instance.decodeContext) {
    throw new Error(`instance ${index}: ${decoding} decode over ${context} tokens, counted otherwise`);
  }
  for (let r = 0; r < requests.count; r++) {
    const phase = requests.phase[r];
    if (requests.movingTo[r] === index) own += requests.incomingOwn[r] ?? 0;
    if (phase === Phase.moving) {
      if (requests.heldBy[r] === index) own += requests.own[r] ?? 0;
    } else if (phase === Phase.ready && requests.decodeInstance[r] === index) own += requests.own[r] ?? 0;
  }
  instance.pool.check(own);
}
