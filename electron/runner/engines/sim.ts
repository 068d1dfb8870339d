import { simEngine } from '../../../workloads/engines/sim/engine.ts';
import type { Engine } from '../../../workloads/run/engine.ts';

/** The simulator needs nothing: it is a part of the runner. */
export const sim = (): Promise<Engine> => Promise.resolve(simEngine);
