import { generate } from '../../../traffic/generate.ts';
import { readTraffic } from '../../../traffic/readTraffic.ts';
import { labMarkdown, labTable } from './labTable.ts';
import { million, queueRate, tieredSpec, timeRun, traceSpec } from './speed.ts';

/** What `scripts/bench-sim.mjs` bundles and calls. */
export const bench = {
  generate,
  readTraffic,
  labMarkdown,
  labTable,
  million,
  queueRate,
  tieredSpec,
  timeRun,
  traceSpec,
};
