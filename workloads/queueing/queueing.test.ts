import { createReadStream, existsSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readTrace } from '../traffic/readTraffic.ts';
import { serve } from './disciplines.ts';
import { drawJobs, type Jobs } from './jobs.ts';
import { runQueue } from './queueBench.ts';
import {
  checkQueue,
  type Discipline,
  parseArrivals,
  parseClasses,
  parseDiscipline,
  parseService,
  type QueueSpec,
} from './queueSpec.ts';

const queue = (over: Partial<QueueSpec> = {}): QueueSpec => ({
  arrivals: { kind: 'poisson' },
  service: { kind: 'exp' },
  servers: 1,
  discipline: 'fcfs',
  rho: 0.8,
  n: process.env['DYNO_FULL'] === undefined ? 400_000 : 8_000_000,
  seed: 7,
  ...over,
});
const run = (over: Partial<QueueSpec> = {}) => runQueue(queue(over));

/**
 * By default a sample small enough for a quick test, held to about three standard errors. With DYNO_FULL set, eight
 * million jobs, held to the tolerances that the bench promises: 1 % up to a load of 0.8, 3 % at 0.9, 5 % at 0.95.
 */
const full = process.env['DYNO_FULL'] !== undefined;
const promised = (rho: number): number => (rho <= 0.8 ? 0.01 : rho <= 0.9 ? 0.03 : 0.05);
const off = (found: number, exact: number): number => Math.abs(found / exact - 1);
function near(name: string, rho: number, found: number, exact: number, quick: number): void {
  const error = off(found, exact);
  if (full)
    console.log(
      `${name.padEnd(24)} ${found.toPrecision(6)}  exact ${exact.toPrecision(6)}  off ${(100 * error).toFixed(2)} %`,
    );
  if (error > (full ? promised(rho) : quick))
    expect.fail(`${name}: ${found}, expected ${exact}, off by ${(100 * error).toFixed(2)} %`);
}

describe('closed forms', () => {
  it.each(full ? [0.3, 0.5, 0.8, 0.9, 0.95] : [0.3, 0.5, 0.8, 0.9])(
    'M/M/1 at load %d: waits, jobs and quantiles',
    (rho) => {
      const { w, wq, l, lq, p50_w, p95_w, p99_w, utilisation, ci95 } = run({ rho });
      const exact = 1 / (1 - rho);
      const quick = rho < 0.8 ? 0.03 : rho < 0.9 ? 0.04 : 0.07;
      near(`M/M/1 ${rho} w`, rho, w, exact, quick);
      near(`M/M/1 ${rho} wq`, rho, wq, rho * exact, quick);
      near(`M/M/1 ${rho} l`, rho, l, rho * exact, quick);
      near(`M/M/1 ${rho} lq`, rho, lq, rho * rho * exact, quick);
      // The time in system is exponential with that mean.
      near(`M/M/1 ${rho} p50`, rho, p50_w, Math.log(2) * exact, quick);
      near(`M/M/1 ${rho} p95`, rho, p95_w, Math.log(20) * exact, 1.5 * quick);
      near(`M/M/1 ${rho} p99`, rho, p99_w, Math.log(100) * exact, 2 * quick);
      expect(off(utilisation, rho)).toBeLessThan(0.002);
      expect(ci95.wq[0]).toBeLessThan(wq);
      expect(ci95.wq[1]).toBeGreaterThan(wq);
    },
  );

  it('M/M/8 at 0.9: Erlang C', () => {
    near('M/M/8 0.9 wq', 0.9, run({ servers: 8, rho: 0.9 }).wq, 0.876916, 0.08);
  });

  it('M/D/1 at 0.9, M/H2/1 at 0.8 and others: Pollaczek and Khinchine', () => {
    near('M/D/1 0.9 wq', 0.9, run({ service: { kind: 'det' }, rho: 0.9 }).wq, 4.5, 0.06);
    near('M/H2/1 0.8 wq', 0.9, run({ service: parseService('h2:0.9,0.5,5.5') }).wq, 13, 0.09);
    // Variance form: Wq = rho (1 + Cs²) / (2 (1 − rho)).
    near(
      'M/LN/1 0.6 wq',
      0.6,
      run({ service: parseService('lognormal:0.7'), rho: 0.6 }).wq,
      (0.6 * 1.49) / 0.8,
      0.04,
    );
    near(
      'M/Γ/1 0.6 wq',
      0.6,
      run({ service: parseService('gamma:0.5'), rho: 0.6 }).wq,
      (0.6 * 1.25) / 0.8,
      0.04,
    );
  });

  it('D/D/c never waits, at full load too', () => {
    for (const [servers, rho] of [
      [1, 0.9],
      [1, 1],
      [3, 0.7],
      [3, 1],
    ] as const) {
      const found = run({ arrivals: { kind: 'deterministic' }, service: { kind: 'det' }, servers, rho });
      expect(found.wq).toBe(0);
      expect(found.w).toBeCloseTo(1, 6);
    }
  });

  it('M/M/1/20 at 1.2: who is lost, and who is inside', () => {
    const { blocked, l } = run({ rho: 1.2, capacity: 20 });
    near('M/M/1/20 1.2 blocked', 0.8, blocked, 0.17037, 0.02);
    near('M/M/1/20 1.2 l', 0.8, l, 15.4666, 0.02);
  });

  it('M/G/c/c loses by Erlang B, whatever the service law', () => {
    let b = 1;
    for (let k = 1; k <= 4; k++) b = (3.2 * b) / (k + 3.2 * b);
    for (const service of ['exp', 'det', 'lognormal:1.5']) {
      const { blocked, wq } = run({ servers: 4, capacity: 4, service: parseService(service) });
      near(`M/G/4/4 ${service} blocked`, 0.8, blocked, b, 0.02);
      expect(wq).toBe(0);
    }
  });

  it('M/G/1-PS: E[T] = 1/(1 − rho), whatever the service law', () => {
    for (const service of ['exp', 'det', 'lognormal:1.5']) {
      near(
        `M/G/1-PS ${service} w`,
        0.8,
        run({ discipline: 'ps', service: parseService(service) }).w,
        5,
        0.06,
      );
    }
  });

  it('M/G/1 priorities: Cobham', () => {
    const { per_class = [] } = run({
      discipline: 'priority',
      classes: parseClasses('0.3:1,0.7:2'),
      rho: 0.7,
    });
    // Means scaled to 1 overall: m1 = 1/1.7, m2 = 2/1.7; W0 = Σ λi E[Si²]/2 = Σ λi mi².
    const m1 = 1 / 1.7;
    const m2 = 2 / 1.7;
    const w0 = 0.7 * (0.3 * m1 * m1 + 0.7 * m2 * m2);
    const s1 = 0.7 * 0.3 * m1;
    near('priority, class 0 wq', 0.7, per_class[0]?.wq ?? 0, w0 / (1 - s1), 0.04);
    near('priority, class 1 wq', 0.7, per_class[1]?.wq ?? 0, w0 / ((1 - s1) * 0.3), 0.05);
  });

  it('the interval covers the truth about as often as it says', () => {
    let covered = 0;
    for (let seed = 1; seed <= 60; seed++) {
      const { ci95 } = run({ n: 40_000, seed, rho: 0.7 });
      if (ci95.wq[0] <= 7 / 3 && ci95.wq[1] >= 7 / 3) covered++;
    }
    expect(covered).toBeGreaterThanOrEqual(53);
  });
});

// ---- The same disciplines again, as plainly as they can be said: a list of jobs, and who runs until the next event.

function naive(
  discipline: Discipline,
  jobs: Jobs,
  servers: number,
  capacity = Number.POSITIVE_INFINITY,
): number[] {
  interface Job {
    readonly id: number;
    left: number;
    started: boolean;
  }
  const departure: number[] = Array<number>(jobs.count).fill(Number.NaN);
  const rank = (j: Job): number =>
    discipline === 'sjf'
      ? (jobs.size[j.id] ?? 0)
      : discipline === 'srpt'
        ? j.left
        : discipline === 'lifo'
          ? -j.id
          : discipline === 'priority'
            ? (jobs.jobClass?.[j.id] ?? 0)
            : j.id;
  let inside: Job[] = [];
  let now = 0;
  let next = 0;
  while (next < jobs.count || inside.length > 0) {
    const preempts = discipline === 'srpt' || discipline === 'ps';
    const order = [...inside].sort(
      (a, b) => (preempts ? 0 : Number(b.started) - Number(a.started)) || rank(a) - rank(b) || a.id - b.id,
    );
    const served = discipline === 'ps' ? order : order.slice(0, servers);
    for (const job of served) job.started = true;
    const rate = discipline === 'ps' ? Math.min(1, servers / inside.length) : 1;
    const arrival = next < jobs.count ? (jobs.arrival[next] ?? 0) : Number.POSITIVE_INFINITY;
    const step = Math.min(arrival - now, ...served.map((j) => j.left / rate));
    for (const job of served) job.left -= step * rate;
    now += step;
    const done = served.filter((j) => j.left < 1e-11);
    for (const job of done) departure[job.id] = now;
    inside = inside.filter((j) => !done.includes(j));
    if (now === arrival) {
      if (inside.length < capacity) inside.push({ id: next, left: jobs.size[next] ?? 0, started: false });
      next++;
    }
  }
  return departure;
}

const anySpec = fc.record({
  discipline: fc.constantFrom<Discipline>('fcfs', 'sjf', 'srpt', 'ps', 'priority', 'lifo'),
  servers: fc.integer({ min: 1, max: 4 }),
  rho: fc.double({ min: 0.3, max: 0.98, noNaN: true }),
  seed: fc.integer({ min: 0, max: 1e6 }),
  service: fc.constantFrom('exp', 'lognormal:1.5', 'gamma:0.5', 'h2').map(parseService),
  arrivals: fc.constantFrom('poisson', 'gamma:2').map(parseArrivals),
});
const jobsOf = (spec: QueueSpec, count = 120): Jobs => drawJobs(spec, count);
const classes = parseClasses('0.2,0.3,0.5');

describe('every discipline', () => {
  it('does what the naive one does, job by job', () => {
    fc.assert(
      fc.property(anySpec, (some) => {
        const spec = queue({ ...some, classes });
        const jobs = jobsOf(spec);
        const expected = naive(spec.discipline, jobs, spec.servers);
        serve(spec, jobs).forEach((found, i) => {
          if (!(Math.abs(found - (expected[i] ?? 0)) < 1e-7))
            expect.fail(`job ${i}: ${found}, naively ${expected[i]}`);
        });
      }),
      { numRuns: 150 },
    );
  });

  it('loses whom the naive one loses', () => {
    fc.assert(
      fc.property(anySpec, fc.integer({ min: 0, max: 5 }), (some, room) => {
        fc.pre(some.discipline !== 'ps' && some.discipline !== 'srpt');
        const spec = queue({ ...some, classes, rho: some.rho * 2, capacity: some.servers + room });
        const jobs = jobsOf(spec);
        const expected = naive(spec.discipline, jobs, spec.servers, spec.capacity);
        serve(spec, jobs).forEach((found, i) => {
          const other = expected[i] ?? 0;
          const same = Number.isNaN(found) ? Number.isNaN(other) : Math.abs(found - other) < 1e-7;
          if (!same) expect.fail(`job ${i}: ${found}, naively ${other}`);
        });
      }),
      { numRuns: 100 },
    );
  });

  it('conserves work: on one server all are idle at the same times, whoever comes first', () => {
    fc.assert(
      fc.property(anySpec, (some) => {
        const jobs = jobsOf(queue({ ...some, servers: 1, classes }));
        const busyEnds = (discipline: Discipline): number[] => {
          const departures = [...serve(queue({ ...some, servers: 1, classes, discipline }), jobs)].sort(
            (a, b) => a - b,
          );
          // A busy period ends with a departure after as many arrivals as departures.
          return departures.filter(
            (end, k) => (jobs.arrival[k + 1] ?? Number.POSITIVE_INFINITY) > end + 1e-9,
          );
        };
        const expected = busyEnds('fcfs');
        const found = busyEnds(some.discipline);
        expect(found.length).toBe(expected.length);
        found.forEach((end, k) => {
          expect(end).toBeCloseTo(expected[k] ?? 0, 6);
        });
      }),
    );
  });

  it('keeps causality; SRPT has the least mean time on one server, and SJF no more than FCFS in the mean', () => {
    fc.assert(
      fc.property(anySpec, (some) => {
        const spec = queue({ ...some, classes });
        const jobs = jobsOf(spec);
        const total = (discipline: Discipline, servers: number): number =>
          serve({ ...spec, discipline, servers }, jobs).reduce((sum, end) => sum + end, 0);
        serve(spec, jobs).forEach((end, i) => {
          expect(end).toBeGreaterThanOrEqual((jobs.arrival[i] ?? 0) + (jobs.size[i] ?? 0) - 1e-9);
        });
        expect(total('srpt', 1)).toBeLessThanOrEqual(total(spec.discipline, 1) + 1e-6);
      }),
    );
    expect(run({ discipline: 'sjf' }).w).toBeLessThan(run().w);
  });
});

it('Little’s law holds over a run that starts and ends empty: ∫N dt = Σ W', () => {
  for (const discipline of ['fcfs', 'ps', 'srpt', 'lifo'] as const) {
    const spec = queue({ discipline });
    const jobs = drawJobs(spec, 20_000);
    const departures = serve(spec, jobs);
    const events = [
      ...Array.from(jobs.arrival, (t) => [t, 1] as const),
      ...Array.from(departures, (t) => [t, -1] as const),
    ];
    events.sort(([a, x], [b, y]) => a - b || y - x);
    let inside = 0;
    let before = 0;
    let area = 0;
    for (const [time, change] of events) {
      area += inside * (time - before);
      inside += change;
      before = time;
    }
    const sojourns = departures.reduce((sum, end, i) => sum + end - (jobs.arrival[i] ?? 0), 0);
    expect(inside).toBe(0);
    expect(off(area, sojourns)).toBeLessThan(1e-9);
  }
});

it('is the same for the same seed, and disciplines see the same jobs', () => {
  expect(run({ n: 5000 })).toEqual(run({ n: 5000 }));
  expect(run({ n: 5000 })).not.toEqual(run({ n: 5000, seed: 8 }));
  expect(run({ n: 5000, discipline: 'lifo' }).utilisation).toBeCloseTo(run({ n: 5000 }).utilisation, 2);
});

it('stays sane for few jobs', () => {
  for (const n of [1, 2, 40]) {
    const text = JSON.stringify(run({ n, warmup: 0 }));
    expect(text).not.toContain('null');
  }
});

describe('bad input', () => {
  it.each([
    [{ rho: 1 }, 'rho 1 without a capacity'],
    [{ rho: -1 }, 'rho -1, expected a load above 0'],
    [{ servers: 0 }, 'servers 0, expected an integer from 1'],
    [{ n: 1e9 }, 'n 1000000000, expected an integer'],
    [{ servers: 4, capacity: 2 }, 'capacity 2, expected an integer from 4'],
    [{ discipline: 'priority' as const }, 'priority without classes'],
    [{ discipline: 'ps' as const, capacity: 9 }, 'capacity with ps'],
    [
      { arrivals: { kind: 'trace' as const, times: new Float64Array(1) } },
      'a trace of 1 arrivals over no time',
    ],
  ])('%j is refused: %s', (over, message) => {
    expect(() => checkQueue(queue(over))).toThrow(message);
  });

  it('parsers say what they expected', () => {
    for (const text of ['', 'uniform', 'gamma:0', 'gamma:x', 'gamma:1,2'])
      expect(() => parseArrivals(text)).toThrow('expected');
    for (const text of ['', 'h2:1,2', 'h2:2,1,1', 'lognormal:-1', 'exp:3,'])
      expect(() => parseService(text)).toThrow('expected');
    for (const text of ['', '0.5', '0.5,0.6', '0.5:0,0.5', 'a,b'])
      expect(() => parseClasses(text)).toThrow('expected');
    expect(() => parseDiscipline('edf')).toThrow('expected one of fcfs');
  });
});

const data = process.env['DYNO_DATA'] ?? '';
const file = join(data, 'traces', 'azure-2023-conversation.csv');
describe.skipIf(data === '' || !existsSync(file))(
  'the Azure conversation trace (skipped without DYNO_DATA)',
  () => {
    it('is Lindley’s recursion exactly, and Kiefer and Wolfowitz’ with four servers', async () => {
      const { arrivalNs, requests } = await readTrace(file, createReadStream(file));
      const spec = queue({
        arrivals: { kind: 'trace', times: arrivalNs },
        n: requests,
        service: parseService('lognormal:1'),
        rho: 0.7,
      });
      const jobs = drawJobs(spec, requests);
      let work = 0;
      serve(spec, jobs).forEach((end, i) => {
        const start = Math.max(jobs.arrival[i] ?? 0, work);
        work = start + (jobs.size[i] ?? 0);
        if (end !== work) expect.fail(`job ${i}: ${end}, by the recursion ${work}`);
      });
      const free = [0, 0, 0, 0];
      serve({ ...spec, servers: 4 }, jobs).forEach((end, i) => {
        free.sort((a, b) => a - b);
        free[0] = Math.max(jobs.arrival[i] ?? 0, free[0] ?? 0) + (jobs.size[i] ?? 0);
        if (end !== free[0]) expect.fail(`job ${i}: ${end}, by the workload vector ${free[0]}`);
      });
      expect(runQueue(spec)).toMatchObject({ n: 19_366, blocked: 0 });
    });
  },
);
