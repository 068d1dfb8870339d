import { provideOperatorTables, readOperatorTables } from '../cost/operatorTables.ts';
import { engineOf } from './engineFiles.ts';
import { readMeasuredRequests, replaySpec, trafficOf } from './measuredRun.ts';
import { deviations, replay } from './replay.ts';
import { scatter } from './scatter.ts';
import { errors, fitSilicon, half, predict, readSilicon } from './silicon.ts';
import { expertError, predictExpertTpot, readExpertRows } from './siliconExperts.ts';
import { vllmRuns } from './vllmRuns.ts';

/** What `scripts/validate-sim.mjs` bundles and calls. */
export const bench = {
  provideOperatorTables,
  readOperatorTables,
  readMeasuredRequests,
  replaySpec,
  trafficOf,
  engineOf,
  deviations,
  replay,
  scatter,
  readSilicon,
  fitSilicon,
  half,
  errors,
  predict,
  vllmRuns,
  readExpertRows,
  predictExpertTpot,
  expertError,
};
