import { join } from 'node:path';
import { z } from 'zod';
import { nativeFolder } from '../../native/index.ts';
import { type HostReply, hostRequest } from '../contract/protocol.ts';
import { asHostError } from '../shared/runFailure.ts';
import { isGrant, WindowGrants } from './grants.ts';
import { Host } from './host.ts';
import { parquetReader } from './store/duckdb.ts';
import { runsFolder } from './store/runsFolder.ts';

/**
 * The host in Electron's utility process. Main sends one MessagePort per window, the files that the user chose, and at the
 * end the wish to close:
 *
 *   main ── {kind: 'client'} + port ──► here ◄── port: {id, method, params} ── window
 *   main ── {kind: 'grant', …} ──► here
 *   main ── {kind: 'report', id, …} ──► here ── {kind: 'report', id, html | error} ──► main
 *   main ── {kind: 'close'} ──► here, which seals its runs and ends
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
  postMessage(message: unknown): void;
}

const host = new Host({
  runsFolder: folderOrEnd(),
  runnerEntry: join(import.meta.dirname, 'runner.mjs'),
  moduleUrl: import.meta.url,
  nativeFolder: nativeFolder(import.meta.url),
});
/** One line instead of a stack: main shows it as the reason why the host ended. */
function folderOrEnd(): string {
  try {
    return runsFolder();
  } catch (thrown) {
    process.stderr.write(`${asHostError(thrown).message}\n`);
    process.exit(2);
  }
}

/** One window, one user: a page that is loaded again keeps what it was granted. */
const grants = new WindowGrants();

function serve(port: MessagePortMain): void {
  const client = host.connect((event) => port.postMessage(event), grants);
  port.on('message', ({ data }) => void answer(data));
  port.on('close', () => host.disconnect(client));
  port.start();

  async function answer(data: unknown): Promise<void> {
    const request = hostRequest.safeParse(data);
    if (!request.success) {
      process.stderr.write('host: a message of the window was not a request\n');
      return;
    }
    const { id, method, params } = request.data;
    let reply: HostReply;
    try {
      reply = { id, ok: true, result: await host.call(client, method, params) };
    } catch (thrown) {
      reply = { id, ok: false, error: asHostError(thrown) };
    }
    port.postMessage(reply);
  }
}

const parent: ParentPort | undefined =
  'parentPort' in process ? (process.parentPort as ParentPort) : undefined;
parent?.on('message', ({ data, ports }) => {
  for (const port of ports) serve(port);
  if (isGrant(data)) grants.admit(data);
  else if (typeof data === 'object' && data !== null && 'kind' in data) {
    if (data.kind === 'close') void close();
    if (data.kind === 'report') void report(parent, data);
  }
});

const reportRequest = z.object({ id: z.int(), baseline: z.string(), optimized: z.string() });

/** Main prints reports; it gets the page itself, so that nothing else can be printed. */
async function report(main: ParentPort, message: object): Promise<void> {
  const request = reportRequest.safeParse(message);
  if (!request.success) return;
  const { id, baseline, optimized } = request.data;
  try {
    main.postMessage({ kind: 'report', id, html: await host.report(baseline, optimized) });
  } catch (thrown) {
    main.postMessage({ kind: 'report', id, error: asHostError(thrown) });
  }
}

/** A database that writes a large run out may take longer; what it has not written by then the next start recovers. */
const patienceMs = 60_000;

let isClosing = false;
async function close(): Promise<void> {
  if (isClosing) return;
  isClosing = true;
  // Not `process.exit`: with native work still open it ends in `terminate`. A kill leaves all that was committed.
  const late = setTimeout(() => process.kill(process.pid, 'SIGKILL'), patienceMs);
  try {
    await host.close();
  } catch (thrown) {
    process.stderr.write(
      `host: while closing: ${thrown instanceof Error ? thrown.message : String(thrown)}\n`,
    );
  }
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
// Loading DuckDB's library takes a tenth of a second: better now than when the first chart waits for it.
// If it cannot be loaded, the first request that needs it says why.
setTimeout(() => void parquetReader(host.runsFolder).catch(() => undefined), 300);
