import { decodeCandidates, prefillCandidates } from './candidates.ts';
import type { Router, RouterKind } from './router.ts';

/** The next instance, whatever it is doing. The baseline that every policy must beat. */
export const roundRobin: RouterKind = {
  id: 'round_robin',
  label: 'Round robin',
  help: 'Prompts go to the instances in turn; decoding stays where the prompt was computed, or takes its own turns over the decode pool.',
  terms: [{ id: 'turn', meaning: '1 for the instance whose turn it is' }],
  parameters: [],
  needs: { telemetry: false, prefix: false },
  create({ cluster }): Router {
    const prompts = prefillCandidates(cluster);
    const decoders = decodeCandidates(cluster);
    let nextPrompt = 0;
    let nextDecode = 0;
    return {
      prefill(_request, _telemetry, sheet) {
        const chosen = prompts[nextPrompt] ?? 0;
        nextPrompt = (nextPrompt + 1) % prompts.length;
        for (const i of prompts) {
          sheet.candidate[i] = 1;
          sheet.total[i] = i === chosen ? 1 : 0;
          sheet.set(i, 0, i === chosen ? 1 : 0);
        }
        return chosen;
      },
      decode(_request, _telemetry, sheet) {
        const chosen = decoders[nextDecode] ?? 0;
        nextDecode = (nextDecode + 1) % decoders.length;
        for (const i of decoders) {
          sheet.candidate[i] = 1;
          sheet.total[i] = i === chosen ? 1 : 0;
          sheet.set(i, 0, i === chosen ? 1 : 0);
        }
        return chosen;
      },
    };
  },
};
