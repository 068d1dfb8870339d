import { spawn } from 'node:child_process';
import { accessSync, closeSync, constants, fstatSync, mkdirSync, openSync, readSync } from 'node:fs';
import { createServer } from 'node:net';
import { delimiter, dirname, join } from 'node:path';
import { fileReason } from '../openFile.ts';
import { RunFailure } from '../runFailure.ts';
import type { ServerProfile, ServeSettings } from './serverProfiles.ts';
import { ask, Unreachable } from './shortRequest.ts';

export interface LaunchedServer {
  readonly url: string;
  readonly pid: number;
  readonly logFile: string;
  readonly readyMs: number;
  /** Resolves with the reason when the process is gone, whatever ended it. */
  readonly gone: Promise<string>;
  /** SIGTERM to the process group, SIGKILL after `graceMs`. */
  end(graceMs?: number): Promise<void>;
}

export interface Launch {
  readonly profile: ServerProfile;
  readonly settings: ServeSettings;
  readonly extra: readonly string[];
  readonly logFile: string;
  /** How long it may load. */
  readonly timeoutMs: number;
  readonly onWait?: (elapsedMs: number, status: string) => void;
  readonly signal?: AbortSignal;
}

/** The first of the programs that is on the PATH; undefined where none is. */
export function programOf(profile: ServerProfile, path = process.env['PATH'] ?? ''): string | undefined {
  for (const name of profile.programs)
    for (const folder of path.split(delimiter)) {
      if (folder === '') continue;
      const file = join(folder, name);
      try {
        accessSync(file, constants.X_OK);
        return file;
      } catch {
        // Not in this folder.
      }
    }
  return undefined;
}

/** A TCP port that is free on the host now. */
export function freePort(host: string): Promise<number> {
  const server = createServer();
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, host, () => {
      const address = server.address();
      const port = address !== null && typeof address === 'object' ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}

const busyPort = (host: string, port: number): Promise<boolean> => {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(true));
    server.listen(port, host, () => server.close(() => resolve(false)));
  });
};

/**
 * Starts a server in a process group of its own, with its output in a log file, and waits until /health answers 200.
 * RunFailure where it ends before, is not ready in time, or its port is taken; the group is gone then.
 */
export async function launchServer(launch: Launch): Promise<LaunchedServer> {
  const { profile, settings, logFile } = launch;
  const { host, port, program } = settings;
  // Else the health of the other server would be taken for its own.
  if (await busyPort(host, port))
    throw new RunFailure({
      code: 'bad_input',
      message: `port ${port} on ${host} is in use, expected a free one`,
    });
  mkdirSync(dirname(logFile), { recursive: true });
  const log = openSync(logFile, 'a+');
  const started = performance.now();
  const child = spawn(program, [...profile.args(settings), ...launch.extra], {
    ...(profile.inProgramFolder === true && program.includes('/') ? { cwd: dirname(program) } : {}),
    stdio: ['ignore', log, log],
    detached: true,
  });
  const gone = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(`${program}: ${fileReason(error)}`));
    child.once('exit', (code, signal) =>
      resolve(signal === null ? `it ended with status ${code}` : `it was ended by ${signal}`),
    );
  });
  let reason: string | undefined;
  void gone.then((why) => {
    reason = why;
  });
  const signalGroup = (signal: NodeJS.Signals): void => {
    if (child.pid === undefined) return;
    try {
      process.kill(-child.pid, signal);
    } catch {
      // The group is gone.
    }
  };
  const end = async (graceMs = 5000): Promise<void> => {
    signalGroup('SIGTERM');
    const late = setTimeout(() => signalGroup('SIGKILL'), graceMs);
    await gone;
    clearTimeout(late);
    // Workers that outlived their parent.
    signalGroup('SIGKILL');
  };
  const url = `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
  const fail = async (message: string): Promise<never> => {
    await end(1000);
    const tail = tailOf(log);
    closeSync(log);
    throw new RunFailure({
      ...{ code: 'failed', message: `${profile.title}: ${message}`, hint: `Its log: ${logFile}` },
      ...(tail === '' ? {} : { detail: tail }),
    });
  };
  for (;;) {
    if (launch.signal?.aborted === true) return fail('stopped while it was loading');
    if (reason !== undefined) return fail(`${reason} before it was ready${lastLine(tailOf(log))}`);
    const elapsed = performance.now() - started;
    if (elapsed > launch.timeoutMs) return fail(`not ready within ${launch.timeoutMs / 1000} s`);
    const status = await healthOf(url);
    if (status === '200') break;
    launch.onWait?.(elapsed, status);
    await new Promise((done) => setTimeout(done, Math.min(1000, 50 + elapsed / 20)));
  }
  void gone.then(() => closeSync(log));
  return { url, pid: child.pid ?? 0, logFile, readyMs: performance.now() - started, gone, end };
}

async function healthOf(url: string): Promise<string> {
  try {
    return String((await ask(`${url}/health`, { timeoutMs: 2000 })).status);
  } catch (thrown) {
    if (thrown instanceof Unreachable) return thrown.message;
    throw thrown;
  }
}

/** The last 4 KiB of the log. */
function tailOf(log: number): string {
  const { size } = fstatSync(log);
  const bytes = Buffer.alloc(Math.min(4096, size));
  const length = readSync(log, bytes, 0, bytes.length, Math.max(0, size - bytes.length));
  return bytes.toString('utf8', 0, length).trim();
}

const lastLine = (text: string): string => {
  const line = text.split('\n').at(-1)?.trim() ?? '';
  return line === '' ? '' : `: ${line.slice(0, 200)}`;
};
