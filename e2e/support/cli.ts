// Runs the built command line as a user would.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { out, root } from '../../scripts/project.mjs';

export interface CliResult {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliOptions {
  readonly home: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Sent to it once, after so many ms. */
  readonly signalAfter?: { readonly signal: NodeJS.Signals; readonly ms: number };
  readonly timeoutMs?: number;
}

export function runCli(args: readonly string[], options: CliOptions): Promise<CliResult> {
  const child = spawn(process.execPath, [join(out, 'cli.mjs'), ...args], {
    cwd: root,
    env: { ...process.env, DYNO_HOME: options.home, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const { signalAfter } = options;
  const early = signalAfter && setTimeout(() => child.kill(signalAfter.signal), signalAfter.ms);
  const late = setTimeout(() => child.kill('SIGKILL'), options.timeoutMs ?? 50_000);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status, signal) => {
      clearTimeout(early);
      clearTimeout(late);
      resolve({ status, signal, stdout, stderr });
    });
  });
}
