import { join } from 'node:path';
import { nativeFolder } from '../../native/index.ts';
import type { HostReply } from '../contract/protocol.ts';
import { asHostError } from '../shared/runFailure.ts';
import { Host } from './host.ts';
import { parquetReader } from './store/duckdb.ts';
import { runsFolder } from './store/runsFolder.ts';

/**
 * The host in Electron's utility process. Main sends one MessagePort per window:
 *
 *   main ── {kind: 'client'} + port ──► here ◄── port: {id, method, params} ── window
 */
interface MessagePortMain {
  on(event: 'message', listener: (event: { readonly data: unknown }) => void): void;
  on(event: 'close', listener: () => void): void;
  postMessage(message: unknown): void;
  start(): void;
}
interface ParentPort {
  on(
    event: 'message',
    listener: (event: { readonly data: unknown; readonly ports: readonly MessagePortMain[] }) => void,
  ): void;
}

const host = new Host({
  runsFolder: runsFolder(),
  runnerEntry: join(import.meta.dirname, 'runner.mjs'),
  moduleUrl: import.meta.url,
  nativeFolder: nativeFolder(import.meta.url),
});

function serve(port: MessagePortMain): void {
  const client = host.connect((event) => port.postMessage(event));
  port.on('message', ({ data }) => void answer(data));
  port.on('close', () => host.disconnect(client));
  port.start();

  async function answer(data: unknown): Promise<void> {
    if (typeof data !== 'object' || data === null || !('id' in data) || !('method' in data)) return;
    const { id, method } = data;
    if (typeof id !== 'number' || typeof method !== 'string') return;
    let reply: HostReply;
    try {
      const result = await host.call(client, method, 'params' in data ? data.params : undefined);
      reply = { id, ok: true, result };
    } catch (thrown) {
      reply = { id, ok: false, error: asHostError(thrown) };
    }
    port.postMessage(reply);
  }
}

const parent: ParentPort | undefined =
  'parentPort' in process ? (process.parentPort as ParentPort) : undefined;
parent?.on('message', ({ ports }) => {
  for (const port of ports) serve(port);
});

let isClosing = false;
async function close(): Promise<void> {
  if (isClosing) return;
  isClosing = true;
  const late = setTimeout(() => process.exit(0), 3000);
  await host.close().catch(() => undefined);
  clearTimeout(late);
  process.exit(0);
}
process.on('SIGTERM', () => void close());
process.on('SIGINT', () => void close());
// One failed question must not end the host; what it was is in main's log.
process.on('unhandledRejection', (reason) => {
  process.stderr.write(
    `host: ${reason instanceof Error ? (reason.stack ?? reason.message) : String(reason)}\n`,
  );
});

void host.recover();
host.watchRuns();
// Loading DuckDB's library takes a tenth of a second: rather now than when the first chart waits for it.
setTimeout(() => void parquetReader(), 300);
