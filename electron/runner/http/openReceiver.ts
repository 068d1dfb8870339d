import { availableParallelism } from 'node:os';
import { nativeFolder, openNative } from '../../../native/index.ts';
import type { Receiver } from '../../../workloads/engines/http/receiver.ts';
import { SocketReceiver } from './socketReceiver.ts';

export interface ReceiverChoice {
  readonly receiver: Receiver;
  /** The clock that stamps the bytes, for the run's log and summary. */
  readonly stamps: 'kernel' | 'clock';
  /** One sentence where it isn't the native receiver with kernel stamps. */
  readonly reason?: string;
}

export interface ReceiverWishes {
  readonly origin: bigint;
  readonly wake: () => void;
  /** TLS is Node's: the native receiver has none. */
  readonly tls: boolean;
  /** For measuring: the native receiver without kernel stamps, or Node's sockets. */
  readonly force?: 'native' | 'native clock' | 'javascript';
  readonly threads?: number;
}

/**
 * The best receiver there is: the addon's with kernel stamps; Node's sockets in workers where the addon is missing or a
 * server speaks https. `moduleUrl` is the running file's own URL.
 */
export function openReceiver(moduleUrl: string, wishes: ReceiverWishes): ReceiverChoice {
  const { origin, wake, tls, force } = wishes;
  const cores = Math.max(1, Math.min(4, availableParallelism() - 1));
  const javascript = (reason: string): ReceiverChoice => ({
    receiver: new SocketReceiver({
      // Bundled, this file is the runner, which serves a lane as a worker; from the sources there is no such file.
      workerFile: moduleUrl.endsWith('.mjs') ? new URL(moduleUrl) : undefined,
      workers: wishes.threads ?? cores,
      origin,
      wake,
    }),
    stamps: 'clock',
    reason,
  });
  if (force === 'javascript') return javascript("asked for: Node's sockets");
  if (tls) return javascript("https: Node's sockets receive, stamped after the read");
  const native = openNative(nativeFolder(moduleUrl));
  if (!native.available) return javascript(`${native.reason} Node's sockets receive, stamped after the read`);
  const opened = native.openHttpReceiver({
    origin,
    wake,
    kernelStamps: force !== 'native clock',
    threads: wishes.threads ?? cores,
  });
  if (!opened.ok) return javascript(opened.error.message);
  const stamps = opened.value.status().kernelStamps ? 'kernel' : 'clock';
  return {
    receiver: opened.value,
    stamps,
    ...(stamps === 'kernel'
      ? {}
      : { reason: 'the kernel gives no receive stamps here: stamped after the read' }),
  };
}
