import { dynamicRouter } from './dynamicRouter.ts';
import type { Target } from './target.ts';

/** Every target: window, command line, sweeps and tests iterate over this list. */
export const catalog: readonly Target[] = [dynamicRouter];

export const findTarget = (id: string): Target | undefined => catalog.find((target) => target.id === id);
