import type { Sketch } from '../metrics/sketch.ts';
import { BatchState } from './batchState.ts';
import { ContinuousBatcher } from './continuousBatcher.ts';
import { DecodeRuns } from './decodeRuns.ts';
import { Instance } from './instance.ts';
import type { InstanceEvents, InstanceSettings } from './instanceSettings.ts';
import { PassTimer } from './passTimer.ts';
import type { RequestTable } from './requestTable.ts';
import { Residents } from './residents.ts';
import type { BucketQueue } from './schedulers/bucketQueue.ts';
import { ChunkedPrefill } from './schedulers/chunkedPrefill.ts';
import { StaticBatcher } from './schedulers/staticBatcher.ts';

/** An instance with continuous batching, by the scheduler of its settings. Gaps between tokens go to `itlMs`. */
export function continuousInstance(
  settings: InstanceSettings,
  requests: RequestTable,
  events: InstanceEvents,
  itlMs: Sketch,
): Instance {
  const state = new BatchState(settings, requests, events, itlMs);
  const residents = new Residents(state);
  const timer = new PassTimer(state, true);
  const batcher = new ContinuousBatcher(state, residents);
  return new Instance({ batcher, residents, timer, decodeRuns: new DecodeRuns(state, residents, timer) });
}

/** An instance with static batching: `queue` forms the batches. */
export function staticInstance(
  settings: InstanceSettings,
  requests: RequestTable,
  events: InstanceEvents,
  itlMs: Sketch,
  queue: BucketQueue,
): Instance {
  const scheduler = new ChunkedPrefill({ reorders: false, ages: false, queue: () => queue });
  const state = new BatchState({ ...settings, scheduler }, requests, events, itlMs);
  const residents = new Residents(state);
  const batcher = new StaticBatcher(state, residents, queue);
  return new Instance({ batcher, residents, timer: new PassTimer(state, false) });
}
