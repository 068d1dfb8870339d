import type { Parameter } from '../run/parameter.ts';
import { telemetryRefresh } from './parameters.ts';
import { numberOf, type RouterKind } from './router.ts';
import { bestAtRandom, promptRouter, put } from './scored.ts';

const weight = (id: string, label: string, value: number, help: string): Parameter => ({
  kind: 'number',
  id,
  label,
  group: 'policy',
  unit: '',
  min: 0,
  max: 100,
  step: 0.5,
  default: value,
  help,
});

/**
 * llm-d's inference scheduler with its default profile: scorers in 0 .. 1, weighted and added, ties at random.
 *
 *   queue   (longest − queue)/(longest − shortest), 1 where all are equal
 *   kv      1 − KV use
 *   prefix  matched blocks / blocks of the prompt
 *
 * Source: llm-d-inference-scheduler, pkg/epp, default profile 2, 2, 3. It sees metrics that were scraped, and does not
 * count what it sent since.
 */
export const llmD: RouterKind = {
  id: 'llm_d',
  label: 'llm-d weighted scorers',
  help: 'Queue, KV use and prefix match, each between 0 and 1, weighted 2 : 2 : 3.',
  terms: [
    { id: 'queue', meaning: 'weight × how short the queue is between the longest and the shortest' },
    { id: 'kv', meaning: 'weight × (1 − KV use)' },
    { id: 'prefix', meaning: 'weight × share of the prompt in the cache' },
  ],
  parameters: [
    telemetryRefresh(50),
    weight('queue_weight', 'Queue weight', 2, 'Weight of the queue scorer.'),
    weight('kv_weight', 'KV weight', 2, 'Weight of the KV use scorer.'),
    weight('prefix_weight', 'Prefix weight', 3, 'Weight of the prefix cache scorer.'),
  ],
  needs: { telemetry: true, prefix: true },
  create: (context) => {
    const queueWeight = numberOf(context.parameters, 'queue_weight', 2);
    const kvWeight = numberOf(context.parameters, 'kv_weight', 2);
    const prefixWeight = numberOf(context.parameters, 'prefix_weight', 3);
    return promptRouter(context, (request, telemetry, sheet, candidates) => {
      let longest = 0;
      let shortest = Number.POSITIVE_INFINITY;
      for (const i of candidates) {
        longest = Math.max(longest, telemetry.waiting[i] ?? 0);
        shortest = Math.min(shortest, telemetry.waiting[i] ?? 0);
      }
      for (const i of candidates) {
        const queue =
          longest === shortest ? 1 : (longest - (telemetry.waiting[i] ?? 0)) / (longest - shortest);
        const share = (telemetry.kvUsed[i] ?? 0) / (telemetry.kvTotal[i] ?? 1);
        // A server that doesn't say what it holds counts as empty.
        const kv = 1 - (Number.isNaN(share) ? 0 : share);
        const prefix = (request.cachedTokens[i] ?? 0) / request.promptTokens;
        put(sheet, i, queueWeight * queue, kvWeight * kv, prefixWeight * prefix);
      }
      return bestAtRandom(sheet, candidates, context.random);
    });
  },
};
