import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';

/**
 * A tool and everything it starts, as one process group of its own: stopping it stops them all. Stopping goes up a ladder,
 * because a profiler that is killed leaves no report, and one that hangs must go all the same:
 *
 *     SIGINT ── patience ──► SIGTERM ── patience ──► SIGKILL
 *
 * A group is not enough: `nsys profile` starts an agent in a session of its own, and the agent starts the program in
 * another, so killing nsys leaves both running for ever (seen with 2022.4). So each tool gets an environment variable with
 * a unique value, and processes that still have it in /proc at the end are ended too, by their ids.
 */
const markName = 'DYNO_CAPTURE_MARK';
export interface LadderStep {
  readonly signal: 'SIGINT' | 'SIGTERM' | 'SIGKILL';
  /** How long the group has to end before the next step. */
  readonly patienceMs: number;
}

/** nsys writes its report after SIGINT, which takes seconds for a long recording. */
export const stopLadder: readonly LadderStep[] = [
  { signal: 'SIGINT', patienceMs: 20_000 },
  { signal: 'SIGTERM', patienceMs: 5_000 },
  { signal: 'SIGKILL', patienceMs: 2_000 },
];

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export class ProcessGroup {
  readonly child: ChildProcess;
  /** Rejects where the program could not be started. Resolves when the leader has ended and its pipes are drained. */
  readonly exit: Promise<Exit>;
  private readonly mark = randomUUID();
  private stopping: Promise<void> | undefined;
  private ended = false;

  /** No shell: `argv[0]` is the program and the rest are its arguments, whatever characters they hold. */
  constructor(
    argv: readonly string[],
    options: { readonly cwd?: string; readonly env: Readonly<Record<string, string>> },
  ) {
    const [program = '', ...rest] = argv;
    this.child = spawn(program, rest, {
      cwd: options.cwd,
      env: { ...options.env, [markName]: this.mark },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
      shell: false,
      windowsHide: true,
    });
    this.exit = new Promise((resolve, reject) => {
      this.child.once('error', (error) => {
        this.ended = true;
        reject(error);
      });
      this.child.once('exit', () => {
        this.ended = true;
      });
      this.child.once('close', (code, signal) => resolve({ code, signal }));
    });
    // Rejections reach the caller that awaits `exit`; this keeps an early one from ending the process.
    this.exit.catch(() => undefined);
  }

  get pid(): number | undefined {
    return this.child.pid;
  }

  /** Ends the whole group by the ladder; a second call waits for the first. */
  stop(ladder: readonly LadderStep[] = stopLadder): Promise<void> {
    this.stopping ??= this.climb(ladder);
    return this.stopping;
  }

  /** After the leader has ended: ends what it left running, so that no profiler's agent and no program stays behind. */
  sweep(): void {
    this.send('SIGKILL');
    for (const pid of markedProcesses(this.mark)) signalProcess(pid, 'SIGKILL');
  }

  private async climb(ladder: readonly LadderStep[]): Promise<void> {
    for (const step of ladder) {
      // The last step reaches those that left the group; the polite ones go to the tool, which tells its program.
      if (step.signal === 'SIGKILL') this.sweep();
      else if (!this.send(step.signal)) return;
      const deadline = performance.now() + step.patienceMs;
      while (performance.now() < deadline) {
        if (this.ended && !this.isAlive()) return;
        await new Promise((resolve) => setTimeout(resolve, 25));
      }
    }
  }

  private isAlive(): boolean {
    return this.send(0);
  }

  /** False where no process is left to receive it. */
  private send(signal: NodeJS.Signals | 0): boolean {
    const { pid } = this.child;
    return pid !== undefined && signalProcess(-pid, signal);
  }
}

function signalProcess(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch {
    return false;
  }
}

/** Processes whose environment carries the mark. Linux only, as Nsight's recording half on servers is. */
function markedProcesses(mark: string): number[] {
  let entries: string[];
  try {
    entries = readdirSync('/proc');
  } catch {
    return [];
  }
  return entries.flatMap((entry) => {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || pid === process.pid) return [];
    try {
      return readFileSync(`/proc/${pid}/environ`, 'latin1').includes(`${markName}=${mark}`) ? [pid] : [];
    } catch {
      return [];
    }
  });
}
