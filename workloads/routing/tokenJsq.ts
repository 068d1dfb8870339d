import { telemetryRefresh } from './parameters.ts';
import type { RouterKind } from './router.ts';
import { bestAtRandom, promptRouter, put } from './scored.ts';

/** Joins the shortest queue counted in tokens (splitwise-sim's token_jsq): prompts differ by a factor of a thousand, requests do not tell. */
export const tokenJsq: RouterKind = {
  id: 'token_jsq',
  label: 'Shortest queue in tokens',
  help: 'The instance with the fewest prompt tokens still to compute; ties go to the one with the fewest decoding, then to one at random.',
  terms: [
    { id: 'tokens', meaning: 'minus prompt tokens that wait' },
    { id: 'decoding', meaning: 'minus a millionth per decoding sequence, to break ties' },
  ],
  parameters: [telemetryRefresh(0)],
  needs: { telemetry: true, prefix: false },
  create: (context) =>
    promptRouter(context, (_request, telemetry, sheet, candidates) => {
      for (const i of candidates) {
        const tokens = (telemetry.pendingPrefill[i] ?? 0) + (telemetry.sentPromptTokens[i] ?? 0);
        put(sheet, i, -tokens, -1e-6 * (telemetry.decoding[i] ?? 0));
      }
      return bestAtRandom(sheet, candidates, context.random);
    }),
};
