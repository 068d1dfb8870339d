import { simEngine } from '../../workloads/engines/sim/engine.ts';
import type { SteppedEngine } from '../../workloads/run/engine.ts';
import type { EngineId } from '../../workloads/run/spec.ts';
import { RunFailure } from '../shared/runFailure.ts';

const missing = (message: string, hint: string) => (): Promise<SteppedEngine> =>
  Promise.reject(new RunFailure({ code: 'missing', message, hint }));

/** Every engine that a run spec can name, and how the runner gets it. */
export const engines: Readonly<Record<EngineId, () => Promise<SteppedEngine>>> = {
  sim: () => Promise.resolve(simEngine),
  cuda: missing(
    'engine cuda: this target serves requests, and Dyno has no serving engine on the GPU yet',
    'Use --engine sim; `dyno list` shows the targets that are measured on engine cuda.',
  ),
  http: missing(
    'engine http: this build of Dyno has no load generator for serving clusters',
    'It needs the URLs of an OpenAI-compatible server; use --engine sim.',
  ),
};
