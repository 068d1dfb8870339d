import type { Engine } from '../../../workloads/run/engine.ts';
import type { EngineId } from '../../../workloads/run/spec.ts';
import { cuda } from './cuda.ts';
import { http } from './http.ts';
import { sim } from './sim.ts';

/** Every engine that a run spec can name, and how the runner gets it. */
export const engines: Readonly<Record<EngineId, () => Promise<Engine>>> = { sim, cuda, http };
