import { asPublished } from './asPublished.ts';
import { roundRobin } from './roundRobin.ts';
import type { RouterKind } from './router.ts';
import { score } from './score.ts';

/** Every policy, once: form, command line, run spec and tests iterate over this list. */
export const routers: readonly RouterKind[] = [roundRobin, score, asPublished];

export const findRouter = (id: string): RouterKind | undefined => routers.find((router) => router.id === id);
