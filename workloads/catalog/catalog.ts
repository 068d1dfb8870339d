import { autoscaling } from './autoscaling.ts';
import { complexityRouting } from './complexityRouting.ts';
import { disaggregation } from './disaggregation.ts';
import { dualPool } from './dualPool.ts';
import { dynamicRouter } from './dynamicRouter.ts';
import { earlyExit } from './earlyExit.ts';
import { earlyRejection } from './earlyRejection.ts';
import { faults } from './faults.ts';
import { guidedDecoding } from './guidedDecoding.ts';
import { kvCacheManagement } from './kvCacheManagement.ts';
import { kvCacheNvlinkPool } from './kvCacheNvlinkPool.ts';
import { kvQuantisation } from './kvQuantisation.ts';
import { monolithic } from './monolithic.ts';
import { parallelTargets } from './parallelTargets.ts';
import { findPublished } from './publishedNames.ts';
import { scheduling } from './scheduling.ts';
import { speculativeDecoding } from './speculativeDecoding.ts';
import type { Target } from './target.ts';

/** Every target: window, command line, sweeps and tests iterate over this list. */
export const catalog: readonly Target[] = [
  dynamicRouter,
  dualPool,
  scheduling,
  speculativeDecoding,
  guidedDecoding,
  earlyExit,
  kvCacheManagement,
  kvCacheNvlinkPool,
  kvQuantisation,
  monolithic,
  earlyRejection,
  disaggregation,
  faults,
  autoscaling,
  complexityRouting,
  ...parallelTargets,
];

/** The target of an id, or of a published name (`publishedNames.ts`): several pairs may be one target's lesson. */
export const findTarget = (id: string): Target | undefined => {
  const own = findPublished(id)?.target ?? id;
  return catalog.find((target) => target.id === own);
};
