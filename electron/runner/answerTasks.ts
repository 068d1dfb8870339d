import { parentPort } from 'node:worker_threads';
import { verifyRequests } from '../../workloads/catalog/verifyRequests.ts';
import { compareRequests } from '../../workloads/metrics/comparison.ts';
import { runQueue } from '../../workloads/queueing/queueBench.ts';
import { checkSpan } from '../../workloads/traffic/trafficBuilder.ts';
import { asHostError } from '../shared/runFailure.ts';
import { simulate } from '../shared/simulate.ts';
import type { TaskAnswer, TaskMessage, TaskName, Tasks } from '../shared/tasks.ts';
import { lookAtTraffic } from '../shared/trafficSource.ts';

const answers: { readonly [T in TaskName]: (question: Tasks[T]['question']) => Promise<Tasks[T]['result']> } =
  {
    compare: ({ baseline, optimized, seed, window, verdict }) =>
      Promise.resolve({
        comparison: compareRequests(baseline, optimized, {
          seed,
          ...(window === undefined ? {} : { window }),
          ...(verdict === undefined ? {} : { verdict }),
        }),
        verification: verifyRequests(baseline, optimized),
      }),
    preview: async ({ traffic, seed, bins }) => {
      const sketch = await lookAtTraffic({ traffic, seed }, bins);
      // The form shows what can be run.
      const speedup = traffic.kind === 'trace' ? traffic.speedup : 1;
      checkSpan(sketch.name, sketch.duration_s * 1e9 * speedup);
      return sketch;
    },
    simulate: ({ spec }) => simulate(spec),
    queue: ({ specs }) => Promise.resolve(specs.map(runQueue)),
  };

async function answer({ id, task, question }: TaskMessage): Promise<TaskAnswer> {
  try {
    // Task and question belong together in the message's type, which the compiler loses in the look-up.
    const found = answers[task] as (question: unknown) => Promise<unknown>;
    return { id, ok: true, result: await found(question) };
  } catch (thrown) {
    return { id, ok: false, error: asHostError(thrown) };
  }
}

export function answerTasks(): void {
  const port = parentPort;
  let before: Promise<void> = Promise.resolve();
  port?.on('message', (message: TaskMessage) => {
    before = before.then(async () => port.postMessage(await answer(message)));
  });
}
