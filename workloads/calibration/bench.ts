import { provideOperatorTables, readOperatorTables } from '../cost/operatorTables.ts';
import { engineOf } from './engineFiles.ts';
import { readMeasuredRequests, replaySpec, trafficOf } from './measuredRun.ts';
import { deviations, replay } from './replay.ts';
import { scatter } from './scatter.ts';
import { predict, readSilicon } from './silicon.ts';
import { errors, familyOf, fitSilicon } from './siliconFit.ts';
import { fittedTerms, termsWithout } from './siliconTerms.ts';
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
  predict,
  fitSilicon,
  familyOf,
  errors,
  fittedTerms,
  termsWithout,
  vllmRuns,
};
