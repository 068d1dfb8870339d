import { telemetryRefresh } from './parameters.ts';
import { numberOf, type RouterKind } from './router.ts';
import { bestAtRandom, promptRouter, put } from './scored.ts';

/**
 * NVIDIA Dynamo's KV router, in blocks; the lowest cost wins:
 *
 *   cost = prefill_load_scale × max(0, (active + uncached + cached)/block − credit × overlap) + decode blocks
 *   overlap in HBM counts whole, in host memory or with a peer three quarters, on disk one quarter
 *
 * With a temperature T > 0 the instance is drawn from softmax(−cost/((max − min) T)); equal costs are drawn evenly.
 * Source: dynamo lib/kv-router selector; worked example in its router guide: 8 + 10 = 18, 5 + 5 = 10 (wins), 2 + 9 = 11.
 */
export const dynamoKv: RouterKind = {
  id: 'dynamo_kv',
  label: 'Dynamo KV cost',
  help: 'Blocks still to compute, less those in the cache, plus blocks that decode: the lowest cost wins, or is drawn by temperature.',
  terms: [
    { id: 'prefill', meaning: 'minus scale × prompt blocks to compute there, overlap credited' },
    { id: 'decode', meaning: 'minus blocks in use' },
  ],
  parameters: [
    telemetryRefresh(0),
    {
      kind: 'number',
      id: 'overlap_score_credit',
      label: 'Overlap credit',
      group: 'policy',
      unit: '',
      min: 0,
      max: 10,
      step: 0.1,
      default: 1,
      help: 'How much of a cached block counts as computed.',
    },
    {
      kind: 'number',
      id: 'host_credit',
      label: 'Host credit',
      group: 'policy',
      unit: '',
      min: 0,
      max: 10,
      step: 0.05,
      default: 0.75,
      help: 'The same of a block in host memory or with a peer, where the cluster has such tiers.',
    },
    {
      kind: 'number',
      id: 'disk_credit',
      label: 'Disk credit',
      group: 'policy',
      unit: '',
      min: 0,
      max: 10,
      step: 0.05,
      default: 0.25,
      help: 'The same of a block on disk.',
    },
    {
      kind: 'number',
      id: 'prefill_load_scale',
      label: 'Prefill load scale',
      group: 'policy',
      unit: '',
      min: 0,
      max: 100,
      step: 0.5,
      default: 1,
      help: 'Price of a prompt block against a decoding one. Larger values find more prefixes.',
    },
    {
      kind: 'number',
      id: 'router_temperature',
      label: 'Temperature',
      group: 'policy',
      unit: '',
      min: 0,
      max: 10,
      step: 0.1,
      default: 0,
      help: '0 takes the lowest cost; more spreads the choice.',
    },
  ],
  needs: { telemetry: true, prefix: true, tiers: true },
  create: (context) => {
    const credit = numberOf(context.parameters, 'overlap_score_credit', 1);
    const hostCredit = numberOf(context.parameters, 'host_credit', 0.75);
    const diskCredit = numberOf(context.parameters, 'disk_credit', 0.25);
    const scale = numberOf(context.parameters, 'prefill_load_scale', 1);
    const temperature = numberOf(context.parameters, 'router_temperature', 0);
    const block = context.cluster.blockTokens;
    return promptRouter(context, (request, telemetry, sheet, candidates) => {
      let lowest = Number.POSITIVE_INFINITY;
      let highest = Number.NEGATIVE_INFINITY;
      for (const i of candidates) {
        const active = (telemetry.pendingPrefill[i] ?? 0) + (telemetry.sentPromptTokens[i] ?? 0);
        const raw = (active + request.promptTokens) / block;
        const below =
          hostCredit * (request.tierTokens?.host[i] ?? 0) + diskCredit * (request.tierTokens?.disk[i] ?? 0);
        const overlap = credit * (request.cachedTokens[i] ?? 0) + below;
        const prefill = scale * Math.max(0, raw - overlap / block);
        const decode = telemetry.kvUsed[i] ?? 0;
        put(sheet, i, -prefill, -decode);
        lowest = Math.min(lowest, prefill + decode);
        highest = Math.max(highest, prefill + decode);
      }
      if (temperature === 0) return bestAtRandom(sheet, candidates, context.random);
      const range = highest - lowest;
      let sum = 0;
      const share = (i: number): number =>
        range === 0 ? 1 : Math.exp(((sheet.total[i] ?? 0) + lowest) / (range * temperature));
      for (const i of candidates) sum += share(i);
      let left = context.random.uniform() * sum;
      for (const i of candidates) {
        left -= share(i);
        if (left < 0) return i;
      }
      return candidates[candidates.length - 1] ?? 0;
    });
  },
};
