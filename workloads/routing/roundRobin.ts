import { CandidateLists } from './candidates.ts';
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
    const lists = new CandidateLists(cluster);
    let nextPrompt = 0;
    let nextDecode = 0;
    return {
      prefill(_request, _telemetry, sheet) {
        const { prompts } = lists;
        const turn = nextPrompt % prompts.length;
        const chosen = prompts[turn] ?? 0;
        nextPrompt = turn + 1;
        for (const i of prompts) {
          sheet.candidate[i] = 1;
          sheet.total[i] = i === chosen ? 1 : 0;
          sheet.set(i, 0, i === chosen ? 1 : 0);
        }
        return chosen;
      },
      decode(_request, _telemetry, sheet) {
        const { decoders } = lists;
        const turn = nextDecode % decoders.length;
        const chosen = decoders[turn] ?? 0;
        nextDecode = turn + 1;
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
