import { z } from 'zod';

/** What a router sees of the prefix caches. */
export const prefixViewSpec = z.discriminatedUnion('kind', [
  /** The caches themselves, as they are. */
  z.strictObject({ kind: z.literal('exact') }),
  /** An index fed by the instances' events (block stored, block evicted), each of which takes this long to arrive. */
  z.strictObject({ kind: z.literal('events'), delay_ms: z.number().min(0).max(600_000) }),
  /** What this replica itself sent where, as a least recently used cache of the instance's size (SGLang's approximate tree). */
  z.strictObject({ kind: z.literal('own') }),
]);
export type PrefixViewSpec = z.infer<typeof prefixViewSpec>;

/** How many routers there are, and what they see of the prefix caches. Absent: one, and the truth. */
export const routerViewSpec = z.strictObject({
  /** Routers side by side. Each has its own telemetry snapshots, knows what it itself sent since, and tells the others nothing. */
  replicas: z.int().min(1).max(64).default(1),
  /** How requests are dealt to them: in turn, or by session (where the traffic knows none, by the second block of the prompt). */
  deal: z.enum(['round_robin', 'session']).default('round_robin'),
  prefix: prefixViewSpec.default({ kind: 'exact' }),
});
export type RouterViewSpec = z.infer<typeof routerViewSpec>;
