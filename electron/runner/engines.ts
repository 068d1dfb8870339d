import type { SteppedEngine } from '../../workloads/harness/engine.ts';
import type { EngineId } from '../../workloads/harness/spec.ts';
import { simEngine } from '../../workloads/sim/engine.ts';
import { RunFailure } from './runFailure.ts';

const missing = (message: string, hint: string) => (): Promise<SteppedEngine> =>
  Promise.reject(new RunFailure({ code: 'missing', message, hint }));

/** Every engine that a run spec can name, and how the runner gets it. */
export const engines: Readonly<Record<EngineId, () => Promise<SteppedEngine>>> = {
  sim: () => Promise.resolve(simEngine),
  cuda: missing(
    'engine cuda: this build of Dyno has no CUDA engine',
    'It needs an NVIDIA driver and a build with native kernels; use --engine sim.',
  ),
  http: missing(
    'engine http: this build of Dyno has no load generator for serving clusters',
    'It needs the URLs of an OpenAI-compatible server; use --engine sim.',
  ),
};
