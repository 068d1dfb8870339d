import { z } from 'zod';

/**
 * Which cached prefix blocks an instance's KV pool gives up first. `lru-prefix` is what it does without being told: a request
 * gives its blocks back tail first, so that a prefix loses its end before its beginning. The others look at blocks one by
 * one, and may drop the head of a prefix whose tail then lies there unreachable. `belady` knows the future: for study.
 */
export const evictionPolicy = z.enum(['lru-prefix', 'lru', 'fifo', 'lfu', 'length-aware', 'belady']);
export type EvictionPolicy = z.infer<typeof evictionPolicy>;
