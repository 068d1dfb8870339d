import { type ChildProcess, spawn } from 'node:child_process';
import { Readable } from 'node:stream';
import { eventsVariable } from '../../shared/outPipe.ts';
import { StreamDecoder } from '../../shared/stream/decoder.ts';
import type { ControlMessage, StreamMessage } from '../../shared/stream/message.ts';

/** Of the host's environment a runner gets what it needs to find drivers, files and words, and nothing else. */
const passedOn =
  /^(PATH|HOME|USER|LANG|LC_.*|TZ|TMPDIR|TEMP|TMP|SYSTEMROOT|LD_LIBRARY_PATH|DYNO_.*|CUDA_.*|NVIDIA_.*|XDG_.*)$/;

export function runnerEnvironment(environment: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
  const passed: NodeJS.ProcessEnv = {};
  for (const [name, value] of Object.entries(environment)) if (passedOn.test(name)) passed[name] = value;
  // The host may be Electron: the runner is the same executable as a plain Node.
  return { ...passed, ELECTRON_RUN_AS_NODE: '1', [eventsVariable]: '3' };
}

export interface RunnerExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The last words on standard error and output. */
  readonly tail: string;
  /** Bytes of a message that never ended. */
  readonly truncated: number;
  /** Why there never was a process. */
  readonly refused?: string;
}

/** One runner: started, listened to, told to stop, killed. */
export class RunnerProcess {
  readonly pid: number | undefined = undefined;
  readonly exited: Promise<RunnerExit>;
  private readonly child: ChildProcess | undefined = undefined;
  private readonly stream: Readable | null;

  constructor(entry: string, specPath: string, take: (message: StreamMessage) => void) {
    // A group of its own: Ctrl-C in the terminal reaches the host only, and a kill reaches everything that a run started.
    let child: ChildProcess;
    try {
      child = spawn(process.execPath, [entry, specPath], {
        stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
        env: runnerEnvironment(),
        detached: process.platform !== 'win32',
        windowsHide: true,
      });
    } catch (thrown) {
      // No memory, no processes left: some of these Node throws, the others it tells by the `error` event.
      const refused = thrown instanceof Error ? thrown.message : String(thrown);
      this.stream = null;
      this.exited = Promise.resolve({ code: null, signal: null, tail: refused, truncated: 0, refused });
      return;
    }
    this.child = child;
    this.pid = child.pid;
    let tail = '';
    let failed: (reason: string) => void = () => undefined;
    // First: a process that could not be made (no descriptor left, no memory) has no streams, and says so by this event.
    child.once('error', (error) => failed(error.message));
    const keep = (bytes: Buffer) => {
      tail = (tail + bytes.toString('utf8')).slice(-4000);
    };
    child.stdout?.on('data', keep);
    child.stderr?.on('data', keep);
    // A runner that has ended does not read; the `close` event reports its end.
    child.stdin?.on('error', () => undefined);
    const decoder = new StreamDecoder();
    // Without a process Node sets no streams at all, whatever the type says.
    const streams: ChildProcess['stdio'] | undefined = child.stdio;
    const events = streams?.[3];
    this.stream = events instanceof Readable ? events : null;
    this.stream?.on('data', (chunk: Buffer) => {
      try {
        decoder.push(chunk, take);
      } catch (thrown) {
        keep(Buffer.from(thrown instanceof Error ? thrown.message : String(thrown)));
        this.kill();
      }
    });
    // Likewise: what a broken pipe means is in the exit.
    this.stream?.on('error', () => undefined);
    this.exited = new Promise((resolve) => {
      failed = (reason) => {
        keep(Buffer.from(reason));
        if (child.pid === undefined)
          resolve({ code: null, signal: null, tail: tail.trim(), truncated: 0, refused: reason });
      };
      child.once('close', (code, signal) =>
        resolve({ code, signal, tail: tail.trim(), truncated: decoder.end() }),
      );
    });
  }

  tell(message: ControlMessage): void {
    this.child?.stdin?.write(`${JSON.stringify(message)}\n`);
  }

  /** Stops taking its messages; the pipe fills up and the run waits. */
  pause(): void {
    this.stream?.pause();
  }

  resume(): void {
    this.stream?.resume();
  }

  kill(): void {
    const { child } = this;
    if (this.pid === undefined || child === undefined) return;
    if (child.exitCode !== null || child.signalCode !== null) return;
    try {
      process.kill(process.platform === 'win32' ? this.pid : -this.pid, 'SIGKILL');
    } catch {
      // Not the leader of a group (it is only just being made): the process alone.
      child.kill('SIGKILL');
    }
  }
}
