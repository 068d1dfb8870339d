import type { Pace, RunInfo } from '../../electron/contract/protocol.ts';
import { span } from '../ui/number.ts';
import type { FormValues } from './runForm.ts';

export interface Estimate {
  readonly text: string;
  /** What it rests on. */
  readonly source: string;
}

/** How long one run will take, from earlier runs of the same target on the same engine. Nothing is guessed. */
export function estimateOf(
  target: string,
  values: FormValues,
  pace: Pace,
  runs: readonly RunInfo[],
): Estimate {
  if (pace !== 'max')
    return {
      text: `${pace}× the clock`,
      source: `One second here is ${pace} s of the run; a run of one hour takes ${span((3600 / pace) * 1000)}.`,
    };
  const like = runs
    .filter(
      (run) =>
        run.target === target &&
        run.engine === values.engine &&
        run.status === 'done' &&
        run.wall_s !== undefined,
    )
    .slice(0, 9);
  const walls = like.map((run) => run.wall_s ?? 0).sort((a, b) => a - b);
  const median = walls[Math.floor(walls.length / 2)];
  if (median === undefined)
    return {
      text: 'duration not known yet',
      source: 'After the first run of this workload its duration is shown here.',
    };
  return {
    text: `≈ ${span(median * 1000)} per run`,
    source: `Median of ${walls.length} earlier ${walls.length === 1 ? 'run' : 'runs'} of this workload, at any pace and size.`,
  };
}
