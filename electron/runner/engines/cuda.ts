import type { Engine } from '../../../workloads/run/engine.ts';
import { RunFailure } from '../../shared/runFailure.ts';

/** Real kernels on the GPUs of this machine, through the addon. */
export const cuda = (): Promise<Engine> =>
  Promise.reject(
    new RunFailure({
      code: 'missing',
      message: 'engine cuda: this target serves requests, and Dyno has no serving engine on the GPU yet',
      hint: 'Use --engine sim; `dyno list` shows the targets that are measured on engine cuda.',
    }),
  );
