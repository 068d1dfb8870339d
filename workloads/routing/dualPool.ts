import { CandidateLists } from './candidates.ts';
import { telemetryRefresh } from './parameters.ts';
import { numberOf, type RouterKind } from './router.ts';
import { bestAtRandom, outstanding, promptRouter, put } from './scored.ts';

/**
 * Separates classes of requests, not phases: long prompts go to the first instances, all others to the rest, and each request is
 * computed and decoded where it went. No KV cache moves, so servers that know nothing of disaggregation can do it; a short request
 * never waits behind a long prompt. Within a pool the instance with the fewest requests is taken, one at random among equals.
 */
export const dualPool: RouterKind = {
  id: 'dual_pool',
  label: 'Two pools by prompt length',
  help: 'Prompts from a length on go to the first instances, the others to the rest; the fewest requests decide within a pool.',
  terms: [
    { id: 'requests', meaning: 'minus requests on the instance, within the pool of the prompt’s length' },
  ],
  parameters: [
    {
      kind: 'integer',
      id: 'long_prompt_tokens',
      label: 'Long from',
      group: 'policy',
      unit: 'tokens',
      min: 1,
      max: 1_000_000,
      log: true,
      default: 2048,
      help: 'Prompts of at least so many tokens go to the long pool.',
    },
    {
      kind: 'integer',
      id: 'long_pool_instances',
      label: 'Long pool',
      group: 'policy',
      unit: 'instances',
      min: 1,
      max: 1024,
      default: 1,
      help: 'So many of the first instances take the long prompts. With one instance there is one pool.',
    },
    telemetryRefresh(0),
  ],
  needs: { telemetry: true, prefix: false },
  create: (context) => {
    const { cluster, parameters, random } = context;
    const long = numberOf(parameters, 'long_prompt_tokens', 2048);
    const wanted = numberOf(parameters, 'long_pool_instances', 1);
    const lists = new CandidateLists(cluster);
    let split:
      | { readonly all: Int32Array; readonly long: Int32Array; readonly short: Int32Array }
      | undefined;
    /** The candidates in two; a pool that would be empty takes them all. */
    const pools = (all: Int32Array) => {
      if (split?.all === all) return split;
      const count = Math.min(wanted, all.length - 1);
      split = {
        all,
        long: count < 1 ? all : all.slice(0, count),
        short: count < 1 ? all : all.slice(count),
      };
      return split;
    };
    return promptRouter(context, (request, telemetry, sheet) => {
      const found = pools(lists.prompts);
      const candidates = request.promptTokens >= long ? found.long : found.short;
      for (const i of candidates) put(sheet, i, -outstanding(telemetry, i));
      return bestAtRandom(sheet, candidates, random);
    });
  },
};
