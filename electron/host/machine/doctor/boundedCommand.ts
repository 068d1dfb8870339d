import { execFile } from 'node:child_process';

export interface Printed {
  readonly text: string;
  readonly exitStatus: number;
}

/** The output of a program; undefined when it could not be started or was killed because it took too long. */
export function boundedCommand(
  file: string,
  args: readonly string[],
  limitMs: number,
  env: Readonly<Record<string, string | undefined>>,
): Promise<Printed | undefined> {
  // Of the environment only what finds libraries and files; a fixed language, because the output is read.
  const passed = { PATH: env['PATH'], LD_LIBRARY_PATH: env['LD_LIBRARY_PATH'], LC_ALL: 'C' };
  return new Promise((resolve) => {
    execFile(
      file,
      args,
      { timeout: limitMs, killSignal: 'SIGKILL', maxBuffer: 1 << 20, env: passed, encoding: 'utf8' },
      (error, stdout, stderr) => {
        const exitStatus = error === null ? 0 : error.code;
        resolve(typeof exitStatus === 'number' ? { text: `${stdout}${stderr}`, exitStatus } : undefined);
      },
    );
  });
}
