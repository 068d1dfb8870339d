import { asPublished } from './asPublished.ts';
import { complexity } from './complexity.ts';
import { dualPool } from './dualPool.ts';
import { dynamoKv } from './dynamoKv.ts';
import { leastOutstanding } from './leastOutstanding.ts';
import { llmD } from './llmD.ts';
import { loadAware } from './loadAware.ts';
import { longestPrefix } from './longestPrefix.ts';
import { mooncakeConductor } from './mooncakeConductor.ts';
import { powerOfTwo } from './powerOfTwo.ts';
import { prefixThreshold } from './prefixThreshold.ts';
import { random } from './random.ts';
import { roundRobin } from './roundRobin.ts';
import type { RouterKind } from './router.ts';
import { score } from './score.ts';
import { sessionHash } from './sessionHash.ts';
import { sglangCacheAware } from './sglangCacheAware.ts';
import { tokenJsq } from './tokenJsq.ts';
import { vllmDp } from './vllmDp.ts';

/** Every policy, once: form, command line, run spec and tests iterate over this list. */
export const routers: readonly RouterKind[] = [
  roundRobin,
  random,
  leastOutstanding,
  powerOfTwo,
  tokenJsq,
  sessionHash,
  longestPrefix,
  prefixThreshold,
  sglangCacheAware,
  llmD,
  vllmDp,
  loadAware,
  dynamoKv,
  mooncakeConductor,
  score,
  asPublished,
  complexity,
  dualPool,
];

export const findRouter = (id: string): RouterKind | undefined => routers.find((router) => router.id === id);
