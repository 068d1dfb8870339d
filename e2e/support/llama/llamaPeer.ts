// Starts llama.cpp's own server on a generated model, waits until it is healthy, and ends it with its process group.
import { type ChildProcess, spawn } from 'node:child_process';
import { get } from 'node:http';
import { createServer } from 'node:net';
import { findLlamaServer, whyNoLlamaServer } from '../../../scripts/llama/llamaServer.mjs';
import { modelFile, type TinyModel, tinyModel } from './tinyModel.ts';

export interface LlamaOptions {
  readonly model: TinyModel;
  readonly slots: number;
  /** Tokens of context that the slots share. */
  readonly context: number;
  readonly threads: number;
  readonly args: readonly string[];
}

export interface LlamaPeer {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** The end of what it printed. */
  log(): string;
  /** SIGKILL, as a crash. */
  kill(): Promise<void>;
  close(): Promise<void>;
}

/** Undefined where llama-server is here, else the words after `skipped: `. */
export const whyNoLlama = (): string | undefined =>
  findLlamaServer() === undefined ? whyNoLlamaServer() : undefined;

export async function startLlama(options: Partial<LlamaOptions> = {}): Promise<LlamaPeer> {
  const server = findLlamaServer();
  if (server === undefined) throw new Error(whyNoLlamaServer());
  const { model = tinyModel, slots = 4, context = 16_384, threads = 1, args = [] } = options;
  const port = await freePort();
  const child = spawn(
    server.executable,
    [
      ...['-m', modelFile(model), '--host', '127.0.0.1', '--port', String(port), '-np', String(slots)],
      ...['-c', String(context), '-t', String(threads), '--metrics', '--slots', '--no-warmup', ...args],
    ],
    { cwd: server.folder, stdio: ['ignore', 'pipe', 'pipe'], detached: true },
  );
  let words = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      words = (words + text).slice(-20_000);
    });
  const gone = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const end = (signal: NodeJS.Signals) => {
    if (child.exitCode === null && child.signalCode === null && child.pid !== undefined)
      process.kill(-child.pid, signal);
    return gone;
  };
  process.once('exit', () => void end('SIGKILL'));
  try {
    await whenHealthy(port, child);
  } catch (error) {
    await end('SIGKILL');
    throw new Error(`llama-server did not become healthy: ${error}\n${words}`);
  }
  return {
    url: `http://127.0.0.1:${port}`,
    ...{ port, pid: child.pid ?? 0, log: () => words },
    kill: () => end('SIGKILL'),
    close: () => end('SIGTERM'),
  };
}

async function whenHealthy(port: number, child: ChildProcess): Promise<void> {
  const deadline = Date.now() + 20_000;
  for (;;) {
    if (child.exitCode !== null) throw new Error(`it ended with status ${child.exitCode}`);
    if ((await statusOf(port)) === 200) return;
    if (Date.now() > deadline) throw new Error('no 200 from /health within 20 s');
    await new Promise((done) => setTimeout(done, 50));
  }
}

const statusOf = (port: number): Promise<number> =>
  new Promise((resolve) => {
    get({ port, host: '127.0.0.1', path: '/health', agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    }).on('error', () => resolve(0));
  });

function freePort(): Promise<number> {
  const server = createServer();
  return new Promise((resolve, reject) => {
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      const port = address !== null && typeof address === 'object' ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}
