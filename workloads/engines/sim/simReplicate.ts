import { Replicate } from '../../cluster/replicate.ts';
import type { Recorder } from '../../record/recorder.ts';
import type { RunSpec } from '../../run/spec.ts';
import type { Traffic } from '../../traffic/traffic.ts';
import type { Ns } from '../../units.ts';
import { simReplicas } from './simReplicas.ts';

/** One simulated replicate, standing at time 0. */
export const simReplicate = (
  spec: RunSpec,
  traffic: Traffic,
  index: number,
  recorder: Recorder,
  progress: (done: number, clock: Ns) => void,
): Replicate => new Replicate(spec, traffic, index, recorder, simReplicas, progress);
