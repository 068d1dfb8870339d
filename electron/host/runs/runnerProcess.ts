import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
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
}

/** One runner: started, listened to, told to stop, killed. */
export class RunnerProcess {
  readonly pid: number | undefined;
  readonly exited: Promise<RunnerExit>;
  private readonly child: ChildProcess;
  private readonly stream: Readable | null;

  constructor(entry: string, specPath: string, take: (message: StreamMessage) => void) {
    // A group of its own: Ctrl-C in the terminal reaches the host only, and a kill reaches everything that a run started.
    const child = spawn(process.execPath, [entry, specPath], {
      stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
      env: runnerEnvironment(),
      detached: process.platform !== 'win32',
      windowsHide: true,
    });
    this.child = child;
    this.pid = child.pid;
    let tail = '';
    const keep = (bytes: Buffer) => {
      tail = (tail + bytes.toString('utf8')).slice(-4000);
    };
    child.stdout?.on('data', keep);
    child.stderr?.on('data', keep);
    child.stdin?.on('error', () => undefined);
    const decoder = new StreamDecoder();
    const events = child.stdio[3];
    this.stream = events !== null && events !== undefined && 'read' in events ? (events as Readable) : null;
    this.stream?.on('data', (chunk: Buffer) => {
      try {
        decoder.push(chunk, take);
      } catch (thrown) {
        keep(Buffer.from(thrown instanceof Error ? thrown.message : String(thrown)));
        this.kill();
      }
    });
    this.stream?.on('error', () => undefined);
    this.exited = new Promise((resolve) => {
      child.once('error', (error) => {
        keep(Buffer.from(error.message));
        if (child.pid === undefined) resolve({ code: null, signal: null, tail: tail.trim(), truncated: 0 });
      });
      child.once('close', (code, signal) =>
        resolve({ code, signal, tail: tail.trim(), truncated: decoder.end() }),
      );
    });
  }

  tell(message: ControlMessage): void {
    this.child.stdin?.write(`${JSON.stringify(message)}\n`);
  }

  /** Stops taking its messages; the pipe fills up and the run waits. */
  pause(): void {
    this.stream?.pause();
  }

  resume(): void {
    this.stream?.resume();
  }

  kill(): void {
    if (this.pid === undefined || this.child.exitCode !== null || this.child.signalCode !== null) return;
    try {
      process.kill(process.platform === 'win32' ? this.pid : -this.pid, 'SIGKILL');
    } catch {
      this.child.kill('SIGKILL');
    }
  }
}
