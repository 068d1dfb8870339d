import { expect, it } from 'vitest';
import type { Page } from '../../../electron/contract/protocol.ts';
import { decisionsOf } from './decisions.ts';

const page = (columns: Record<string, (number | string | boolean | null)[]>): Page => {
  const rows = Object.values(columns)[0]?.length ?? 0;
  return {
    rows,
    total: rows,
    columns: Object.entries(columns).map(([name, values]) => ({ name, type: '', unit: '', values })),
  };
};

it('puts the candidates of one decision together', () => {
  const decisions = decisionsOf(
    page({
      stage: ['decode', 'prefill', 'prefill'],
      time_ns: [9e6, 5e6, 5e6],
      instance: [2, 0, 1],
      chosen: [true, false, true],
      score: [0.4, 0.1, 0.9],
      term_queue: [0.4, 0.1, 0.5],
      term_cost: [null, null, 0.4],
    }),
  );
  expect(decisions).toEqual([
    {
      stage: 'prefill',
      timeMs: 5,
      termIds: ['queue', 'cost'],
      candidates: [
        { instance: 0, score: 0.1, isChosen: false, terms: { queue: 0.1 } },
        { instance: 1, score: 0.9, isChosen: true, terms: { queue: 0.5, cost: 0.4 } },
      ],
    },
    {
      stage: 'decode',
      timeMs: 9,
      termIds: ['queue'],
      candidates: [{ instance: 2, score: 0.4, isChosen: true, terms: { queue: 0.4 } }],
    },
  ]);
});
