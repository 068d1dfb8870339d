import { isMainThread, workerData } from 'node:worker_threads';
import { InputError } from '../../workloads/run/inputError.ts';
import { matchKind } from '../shared/kinds/runKind.ts';
import { schemaOf } from '../shared/kinds/runKinds.ts';
import { readJson } from '../shared/openFile.ts';
import { OutPipe } from '../shared/outPipe.ts';
import { asHostError, exitStatusOf } from '../shared/runFailure.ts';
import { StreamEncoder } from '../shared/stream/encoder.ts';
import { answerTasks } from './answerTasks.ts';
import { Control } from './control.ts';
import { serveLane } from './http/laneWorker.ts';
import { isLaneWorker } from './http/socketReceiver.ts';
import { executeKernels, executeSpec } from './runSpec.ts';

/** How long a run without its host may take to wind up. */
const leaveMs = 2000;

/**
 * The runner: `runner SPEC.json` executes that one spec and ends. Events go to descriptor 3 (else standard output),
 * control lines come in on standard input; SIGTERM and SIGINT cancel. Exit status 0 done or cancelled, 1 failed,
 * 2 bad input, 3 something needed is missing.
 * As a worker thread of the host the same file answers heavy questions (`tasks.ts`).
 */
async function main(): Promise<void> {
  const control = new Control();
  const pipe = new OutPipe(() => process.exit(1));
  const encoder = new StreamEncoder();
  process.on('SIGTERM', () => control.cancel('SIGTERM'));
  process.on('SIGINT', () => control.cancel('SIGINT'));
  const fail = async (thrown: unknown) => {
    const error = asHostError(thrown);
    pipe.write(encoder.message({ kind: 'error', error }));
    await pipe.end();
    if (process.stderr.isTTY) process.stderr.write(`${error.message}\n`);
    process.exit(exitStatusOf(error));
  };
  process.on('uncaughtException', (thrown) => void fail(thrown));
  process.on('unhandledRejection', (thrown) => void fail(thrown));
  control.listen(process.stdin, () => {
    // A pass that hangs on the GPU must not keep a runner alive that no host can end any more.
    setTimeout(() => process.kill(process.pid, 'SIGKILL'), leaveMs).unref();
  });
  try {
    const spec = readSpec(process.argv[2]);
    await matchKind(spec, {
      serving: (own) => executeSpec(own, pipe, encoder, control),
      kernels: (own) => executeKernels(own, pipe, encoder, control),
    });
    await pipe.end();
    process.exit(0);
  } catch (thrown) {
    await fail(thrown);
  }
}

function readSpec(path: string | undefined) {
  if (path === undefined) throw new InputError('usage: runner SPEC.json');
  const document = readJson(path, 'a run spec (JSON)');
  const parsed = schemaOf(document).safeParse(document);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new InputError(`${path}: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'not a run spec'}`);
  }
  return parsed.data;
}

if (isMainThread) void main();
else if (isLaneWorker(workerData)) serveLane(workerData);
else answerTasks();
