import { describe, expect, it } from 'vitest';
import { closedForm, erlangC } from './closedForms.ts';
import { runQueue } from './queueBench.ts';
import { parseArrivals, parseClasses, parseDiscipline, parseService, type QueueSpec } from './queueSpec.ts';

const spec = (
  arrivals: string,
  service: string,
  discipline: string,
  over: Partial<QueueSpec> = {},
): QueueSpec => ({
  arrivals: parseArrivals(arrivals),
  service: parseService(service),
  servers: 1,
  discipline: parseDiscipline(discipline),
  rho: 0.7,
  n: 300_000,
  seed: 11,
  ...over,
});

describe('closed forms', () => {
  it('Erlang C of textbooks', () => {
    expect(erlangC(1, 0.8)).toBeCloseTo(0.8, 12);
    expect(erlangC(2, 0.75)).toBeCloseTo(0.6428571, 6);
    expect(erlangC(8, 0.9) / (8 * 0.1)).toBeCloseTo(0.876916, 5);
  });

  it.each([
    ['M/M/1', spec('poisson', 'exp', 'fcfs')],
    ['M/M/1 last come', spec('poisson', 'exp', 'lifo')],
    ['M/M/4', spec('poisson', 'exp', 'fcfs', { servers: 4 })],
    ['M/D/1', spec('poisson', 'det', 'fcfs')],
    ['M/H2/1', spec('poisson', 'h2:0.8,0.5,3', 'fcfs', { n: 600_000 })],
    ['M/G/1 sharing', spec('poisson', 'lognormal:1', 'ps')],
    ['priorities', spec('poisson', 'exp', 'priority', { classes: parseClasses('0.3:1,0.7:2') })],
    ['M/M/1/5', spec('poisson', 'exp', 'fcfs', { capacity: 5 })],
    ['M/M/1/5 far above its capacity', spec('poisson', 'exp', 'fcfs', { capacity: 5, rho: 3 })],
  ])('%s is what the bench measures', (_, queue) => {
    const exact = closedForm(queue);
    if (exact === undefined) expect.fail('no closed form');
    expect(exact.isApproximation).toBe(false);
    const { wq, w } = runQueue(queue);
    expect(Math.abs(w / exact.w - 1)).toBeLessThan(0.04);
    expect(Math.abs(wq / exact.wq - 1)).toBeLessThan(0.06);
  });

  it('says where it only approximates, and where it knows nothing', () => {
    expect(closedForm(spec('gamma:2', 'exp', 'fcfs'))?.isApproximation).toBe(true);
    expect(closedForm(spec('poisson', 'exp', 'srpt'))).toBeUndefined();
    expect(closedForm(spec('gamma:2', 'exp', 'ps'))).toBeUndefined();
  });
});
