import { generate } from '../../../traffic/generate.ts';
import { readTraffic } from '../../../traffic/readTraffic.ts';
import { labMarkdown, labTable } from './labTable.ts';
import { million, queueRate, tieredSpec, timeRun, traceSpec } from './speed.ts';
import { digestRun, everyVariant } from './summaryHashes.ts';

/** What `scripts/bench-sim.mjs` and `scripts/summaryHashes.mjs` bundle and call. */
export const bench = {
  digestRun,
  everyVariant,
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
