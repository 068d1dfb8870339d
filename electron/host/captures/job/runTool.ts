import { CaptureError } from '../captureError.ts';
import { ProcessGroup } from './processGroup.ts';

/** Runs a converter to its end and gives its standard output, chunk by chunk; throws with the end of its complaints. */
export async function runTool(
  argv: readonly string[],
  options: {
    readonly environment: Readonly<Record<string, string>>;
    readonly limitMs: number;
    readonly signal?: AbortSignal;
    readonly onOutput?: (chunk: string) => Promise<void> | void;
  },
): Promise<void> {
  const group = new ProcessGroup(argv, { env: options.environment });
  const ladder = [
    { signal: 'SIGTERM', patienceMs: 1_000 },
    { signal: 'SIGKILL', patienceMs: 2_000 },
  ] as const;
  let stopped: 'limit' | 'cancel' | undefined;
  const stop = (why: 'limit' | 'cancel') => {
    stopped ??= why;
    void group.stop(ladder);
  };
  const limit = setTimeout(() => stop('limit'), options.limitMs);
  const onAbort = () => stop('cancel');
  options.signal?.addEventListener('abort', onAbort, { once: true });
  if (options.signal?.aborted) onAbort();
  let complaints = '';
  group.child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
    complaints = (complaints + chunk).slice(-4_000);
  });
  const name = argv[0] ?? 'the tool';
  try {
    const { stdout } = group.child;
    if (stdout !== null) {
      stdout.setEncoding('utf8');
      for await (const chunk of stdout) {
        if (options.onOutput === undefined) complaints = (complaints + String(chunk)).slice(-4_000);
        else await options.onOutput(String(chunk));
      }
    }
    const exit = await group.exit.catch((error: unknown) => {
      throw new CaptureError(
        'missing',
        `${name} could not be started: ${error instanceof Error ? error.message : String(error)}`,
      );
    });
    if (stopped === 'cancel') throw new CaptureError('cancelled', `${name} was cancelled`);
    if (stopped === 'limit')
      throw new CaptureError('failed', `${name} took longer than ${options.limitMs / 1000} s`);
    if (exit.code !== 0) {
      throw new CaptureError('failed', `${name} ended with ${exit.signal ?? `exit status ${exit.code}`}`, {
        detail: complaints.trim(),
      });
    }
  } finally {
    clearTimeout(limit);
    options.signal?.removeEventListener('abort', onAbort);
    void group.stop(ladder);
  }
}
