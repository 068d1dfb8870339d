import type { Pace, RunInfo } from '../../electron/contract/protocol.ts';
import { span } from './number.ts';
import type { FormValues } from './runForm.ts';

export interface Estimate {
  readonly text: string;
  /** The basis of the estimate. */
  readonly source: string;
}

/** How long one run will take: from the length of its traffic when it is watched, else from earlier runs. Without either it is unknown. */
export function estimateOf(
  target: string,
  values: FormValues,
  pace: Pace,
  trafficS: number | undefined,
  runs: readonly RunInfo[],
): Estimate {
  // Devices and servers serve in real time, whatever the pace.
  if (values.engine === 'http' || (values.engine === 'cuda' && pace !== 'max')) {
    const isClosed = values.trace === null && values.parameters['traffic'] === 'closed';
    return trafficS === undefined || isClosed
      ? { text: 'in real time', source: 'A run lasts as long as its requests and their answers.' }
      : {
          text: `≈ ${span(trafficS * 1000)} per run`,
          source: `The traffic lasts ${span(trafficS * 1000)} and is sent in real time.`,
        };
  }
  if (pace !== 'max')
    return trafficS === undefined
      ? { text: `${pace}× the clock`, source: `One second here is ${pace} s of the run.` }
      : {
          text: `≈ ${span((trafficS / pace) * 1000)} per run`,
          source: `The traffic lasts ${span(trafficS * 1000)}; one second here is ${pace} s of the run.`,
        };
  const like = runs
    .filter((run) => run.target === target && run.engine === values.engine && run.status === 'done')
    .flatMap((run) => run.wall_s ?? [])
    .slice(0, 9)
    .sort((a, b) => a - b);
  const median = like[Math.floor(like.length / 2)];
  if (median === undefined)
    return {
      text: 'duration not known yet',
      source: 'After the first run of this workload its duration is shown here.',
    };
  return {
    text: `≈ ${span(median * 1000)} per run`,
    source: `Median of ${like.length} earlier ${like.length === 1 ? 'run' : 'runs'} of this workload, at any pace and size.`,
  };
}
