import { Worker } from 'node:worker_threads';
import {
  type Address,
  type Receiver,
  type ReceiverStatus,
  type RecordBatch,
  rowWidth,
} from '../../../workloads/engines/http/receiver.ts';
import { type RingMemory, ringMemory, SharedRing } from './sharedRing.ts';
import { type LaneCommand, SocketLane } from './socketLane.ts';

export interface SocketReceiverOptions {
  /** The runner's own file, started once per worker; undefined: the sockets live on this thread. */
  readonly workerFile: URL | undefined;
  readonly workers: number;
  readonly origin: bigint;
  readonly wake: () => void;
  readonly ringBytes?: number;
}

/** The data that a worker of this receiver is started with. */
export interface LaneWorkerData {
  readonly role: 'http lane';
  readonly memory: RingMemory;
  readonly origin: bigint;
}

export const isLaneWorker = (data: unknown): data is LaneWorkerData =>
  typeof data === 'object' && data !== null && 'role' in data && data.role === 'http lane';

interface Lane {
  readonly ring: SharedRing;
  readonly post: (command: LaneCommand) => void;
  readonly end: () => void;
}

/** The receiver of machines without the addon, and of https: sockets of Node in worker threads, stamped by the clock after the read. */
export class SocketReceiver implements Receiver {
  readonly #lanes: readonly Lane[];

  constructor(options: SocketReceiverOptions) {
    const { workerFile, workers, origin, wake } = options;
    this.#lanes = Array.from({ length: workerFile === undefined ? 1 : Math.max(1, workers) }, () => {
      const memory = ringMemory(options.ringBytes);
      const ring = new SharedRing(memory);
      if (workerFile === undefined) {
        const lane = new SocketLane(ring, origin, () => queueMicrotask(wake));
        return { ring, post: (command) => lane.take(command), end: () => undefined };
      }
      const workerData: LaneWorkerData = { role: 'http lane', memory, origin };
      const worker = new Worker(workerFile, { workerData });
      worker.on('message', wake);
      return {
        ring,
        post: (command) => worker.postMessage(command),
        end: () => void worker.terminate(),
      };
    });
  }

  #lane(connection: number): Lane {
    const lane = this.#lanes[connection % this.#lanes.length];
    if (lane === undefined) throw new RangeError('a receiver without lanes');
    return lane;
  }

  connect(connection: number, to: Address, request: Uint8Array, due: number): void {
    const { host, port, tlsName } = to;
    this.#lane(connection).post({
      kind: 'connect',
      connection,
      host,
      port,
      request,
      due,
      ...(tlsName === undefined ? {} : { tlsName }),
    });
  }

  send(connection: number, request: Uint8Array, due: number): void {
    this.#lane(connection).post({ kind: 'send', connection, request, due });
  }

  drop(connection: number): void {
    this.#lane(connection).post({ kind: 'drop', connection });
  }

  drain(batch: RecordBatch): number {
    const { rows, bytes } = batch;
    let count = 0;
    let used = 0;
    let left = false;
    for (const { ring, post } of this.#lanes) {
      const all = ring.drain((kind, connection, time, errno, payload, from, length) => {
        const at = count * rowWidth;
        if (at === rows.length || used + length > bytes.length) return false;
        bytes.set(payload.subarray(from, from + length), used);
        used += length;
        rows[at] = kind;
        rows[at + 1] = connection;
        rows[at + 2] = time;
        rows[at + 3] = errno;
        rows[at + 4] = length;
        count++;
        return true;
      });
      if (!all) left = true;
      if (ring.writerWaits) post({ kind: 'room' });
    }
    return left ? -count : count;
  }

  status(): ReceiverStatus {
    let clockReads = 0;
    let stalls = 0;
    for (const { ring } of this.#lanes) {
      clockReads += ring.reads;
      stalls += ring.stalls;
    }
    return {
      kind: 'javascript',
      kernelReads: 0,
      clockReads,
      stalls,
      stalledNs: 0,
      clockErrorNs: 0,
      clockSteps: 0,
    };
  }

  close(): void {
    for (const { post, end } of this.#lanes) {
      post({ kind: 'close' });
      end();
    }
  }
}
