import { parentPort } from 'node:worker_threads';
import { SharedRing } from './sharedRing.ts';
import { type LaneCommand, SocketLane } from './socketLane.ts';
import type { LaneWorkerData } from './socketReceiver.ts';

/** Runs a lane of the socket receiver in a worker: its commands come as messages, a wake-up goes back as one. */
export function serveLane(data: LaneWorkerData): void {
  const port = parentPort;
  if (port === null) throw new Error('a lane runs in a worker thread');
  const lane = new SocketLane(new SharedRing(data.memory), data.origin, () => port.postMessage(0));
  port.on('message', (command: LaneCommand) => lane.take(command));
}
