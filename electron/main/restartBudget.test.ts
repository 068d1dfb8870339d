import { describe, expect, it } from 'vitest';
import { RestartBudget } from './restartBudget.ts';

describe('RestartBudget', () => {
  it('waits longer each time and then gives up', () => {
    const budget = new RestartBudget();
    expect([0, 1000, 2000, 3000].map((now) => budget.next(now))).toEqual([100, 400, 1600, undefined]);
  });

  it('forgives what is older than the window', () => {
    const budget = new RestartBudget();
    for (const now of [0, 1000, 2000]) budget.next(now);
    expect(budget.next(61_500)).toBe(400);
  });
});
