import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { invariantsOf } from '../../engines/sim/invariants.ts';
import { simReplicate } from '../../engines/sim/simReplicate.ts';
import {
  KeepingSink,
  runSpecOn,
  type TinyCluster,
  type TinyRequest,
  tinySpec,
  tinyTraffic,
} from '../../engines/sim/tinyRun.ts';
import { Recorder } from '../../record/recorder.ts';
import type { AdmissionSpec } from '../../run/admissionSpec.ts';
import { stream } from '../../run/random.ts';
import { type RunSpec, runSpec } from '../../run/spec.ts';
import { generate } from '../../traffic/generate.ts';
import { admissions } from './admissions.ts';
import { PublishedController } from './asPublished.ts';

type Given = Partial<AdmissionSpec> & { readonly policy: string };

function withAdmission(cluster: TinyCluster, admission: Given): RunSpec {
  const base = tinySpec(cluster);
  return runSpec.parse({ ...base, policy: { ...base.policy, admission: { parameters: {}, ...admission } } });
}

function run(cluster: TinyCluster, admission: Given, requests: readonly TinyRequest[]) {
  const { summary, sink } = runSpecOn(withAdmission(cluster, admission), tinyTraffic(requests));
  const rows = sink
    .table('requests')
    .sort((a, b) => Number(a['request']) - Number(b['request']))
    .map((row) => ({
      status: row['status'],
      tier: row['tier'],
      attempts: row['attempts'],
      reason: row['reason'],
      retryAfter: row['retry_after_ms'],
      ttft: row['ttft_ms'],
      first: Number(row['first_token_ns']) / 1e6,
    }));
  return { summary, rows };
}

// 1 ms per prompt token, 100 ms per output token of the whole batch, unless said otherwise.
const slo = { ttft_ms: 300, tpot_ms: 1000 };

describe('small timelines', () => {
  test('a prompt that could not begin in time is refused, and told when the queue will have drained', () => {
    //  0         200        400      500
    //  ├─ A 200 ─┤─ B 200 ──┤               C (100) at 10 would end at 190 + 200 + 100 = 490 > 300: come back in 190
    const { rows, summary } = run({ sequences: 1, slo }, { policy: 'early_rejection' }, [
      { at: 0, prompt: 200, output: 1 },
      { at: 0, prompt: 100, output: 1 },
      { at: 10, prompt: 100, output: 1 },
    ]);
    expect(rows[0]).toMatchObject({ status: 'completed', ttft: 200, attempts: 1, reason: '' });
    expect(rows[1]).toMatchObject({ status: 'completed', ttft: 300 });
    // The pass in progress counts whole: nobody outside knows how far it is. 200 + 100 + 100 − 300 = 100.
    expect(rows[2]).toMatchObject({ status: 'rejected', reason: 'prefill_load', retryAfter: 100 });
    expect(summary.requests).toMatchObject({ arrived: 3, admitted: 2, rejected: 1, completed: 2 });
    expect(summary.admission).toMatchObject({ refusals: 1, refusals_by_reason: { prefill_load: 1 } });
  });

  test('who comes back is served later, and its latency counts from its first knock', () => {
    const { rows, summary } = run(
      { sequences: 1, slo },
      { policy: 'early_rejection', retries: { most: 3, jitter: 0 } },
      [
        { at: 0, prompt: 200, output: 1 },
        { at: 0, prompt: 100, output: 1 },
        { at: 10, prompt: 100, output: 1 },
      ],
    );
    // Back at 110: A's pass still counts whole; at 210 A is done, B's 100 are left: 100 + 100 ≤ 300.
    expect(rows[2]).toMatchObject({ status: 'completed', attempts: 3, reason: 'prefill_load' });
    expect(rows[2]?.first).toBe(400);
    expect(rows[2]?.ttft).toBe(390);
    expect(summary.requests).toMatchObject({ rejected: 0, completed: 3 });
    expect(summary.admission).toMatchObject({ refusals: 2, retried: 1 });
  });

  test('a deadline takes a request out of the queue, but never out of a batch', () => {
    // One sequence at a time. A computes 0–200 and decodes until 500; B waits, and is given up at 10 + 300.
    const tiers = [{ name: 'only', deadline_ms: 300 }];
    const { rows } = run({ sequences: 1, slo }, { policy: 'none', tiers }, [
      { at: 0, prompt: 200, output: 4 },
      { at: 10, prompt: 100, output: 1 },
      { at: 20, prompt: 100, output: 1 },
    ]);
    expect(rows[0]).toMatchObject({ status: 'completed', reason: '' });
    expect(rows[1]).toMatchObject({ status: 'rejected', reason: 'deadline', tier: 'only' });
    expect(rows[2]).toMatchObject({ status: 'rejected', reason: 'deadline' });
  });

  test('a reservation is used even when the rest is taken, and is never lent out', () => {
    // Capacity 4: two slots are premium's, one standard's, one nobody's.
    const tiers = [
      { name: 'premium', reserved: 0.5 },
      { name: 'standard', reserved: 0.25 },
      { name: 'free' },
    ];
    const at = (ms: number, priority: number): TinyRequest => ({ at: ms, prompt: 1, output: 100, priority });
    const { rows } = run(
      { slo: { ttft_ms: 1e6 } },
      { policy: 'slo_tiers', tiers, parameters: { capacity: 4 } },
      [
        at(0, 2), // takes the one that is nobody's
        at(1, 2), // refused: premium's and standard's slots stand empty
        at(2, 1),
        at(3, 1), // refused: premium's are not lent
        at(4, 0),
        at(5, 0),
        at(6, 0), // refused: the reservation is used up
      ],
    );
    expect(rows.map((row) => row.status)).toEqual([
      'completed',
      'rejected',
      'completed',
      'rejected',
      'completed',
      'completed',
      'rejected',
    ]);
    expect(rows[1]).toMatchObject({ tier: 'free', reason: 'capacity' });
  });

  test('refused after its prefill: the work was done, the blocks come back, nobody was served', () => {
    // TPOT objective 250: two sequences on the decode instance take 200 per pass, three take 300.
    const cluster = {
      instances: [{ pool: 'prefill' }, { pool: 'decode' }] as const,
      slo: { ttft_ms: 1e6, tpot_ms: 250 },
    };
    const requests = [0, 200, 400, 600, 800].map((at) => ({ at, prompt: 100, output: 50 }));
    const late = run(cluster, { policy: 'late_rejection' }, requests);
    expect(late.rows.map((row) => row.status)).toEqual([
      'completed',
      'completed',
      'completed',
      'rejected',
      'rejected',
    ]);
    expect(late.rows[3]).toMatchObject({ reason: 'decode_load', ttft: Number.NaN });
    // Their prompts were computed all the same.
    expect(late.summary.per_instance[0]?.prefills).toBe(5);
    expect(late.summary.metrics.ttft_ms?.n).toBe(3);
    expect(late.summary.admission).toMatchObject({ wasted_prefills: 2, wasted_prompt_tokens: 200 });

    // Service classes count only what was delivered: neither a TTFT nor "in time" for the two.
    const plain = withAdmission(cluster, { policy: 'late_rejection' });
    const classed = runSpec.parse({
      ...plain,
      cluster: {
        ...plain.cluster,
        scheduler: {
          ...plain.cluster.scheduler,
          policy: {
            kind: 'chunked_prefill',
            order: { kind: 'fcfs' },
            classes: [{ name: 'all', share: 1, ttft_ms: 1e6 }],
          },
        },
      },
    });
    const [all] = runSpecOn(classed, tinyTraffic(requests)).summary.scheduling?.classes ?? [];
    expect(all).toMatchObject({ arrived: 5, in_time: 3 / 5, ttft_ms: { n: 3 } });
  });

  test('by prediction, those in prefill count; by the load of now, they do not', () => {
    // All five knock before anyone decodes: early rejection sees an empty decode pool five times.
    const cluster = {
      instances: [{ pool: 'prefill' }, { pool: 'decode' }] as const,
      slo: { ttft_ms: 1e6, tpot_ms: 250 },
    };
    const requests = [0, 1, 2, 3, 4].map((at) => ({ at, prompt: 100, output: 50 }));
    const early = run(cluster, { policy: 'early_rejection' }, requests);
    expect(early.rows.every((row) => row.status === 'completed')).toBe(true);
    const predicted = run(
      cluster,
      { policy: 'predicted_rejection', parameters: { decode_time_s: 10 } },
      requests,
    );
    expect(predicted.rows.map((row) => row.status)).toEqual([
      'completed',
      'completed',
      'rejected',
      'rejected',
      'rejected',
    ]);
    expect(predicted.summary.per_instance[0]?.prefills).toBe(2);
  });
});

describe('the published controller', () => {
  /** The lab's own loop: its made-up load, its "actual" TTFT (the estimate and a bit), answers after 0.1 s. */
  function labLoop(seed: number) {
    const random = stream(seed, 'lab');
    const controller = new PublishedController(stream(seed, 'controller'));
    const phases = [
      { seconds: 30, rate: 2, load: 0.3, mix: [0.1, 0.6] },
      { seconds: 20, rate: 8, load: 0.8, mix: [0.05, 0.3] },
      { seconds: 15, rate: 5, load: 0.9, mix: [0.4, 0.4] },
    ] as const;
    const seen = [0, 0, 0];
    const refused = [0, 0, 0];
    for (const { seconds, rate, load, mix } of phases) {
      for (let k = 0; k < seconds * rate; k++) {
        const u = random.uniform();
        const tier = u < mix[0] ? 0 : u < mix[0] + mix[1] ? 1 : 2;
        const prompt = random.integer(50, 500);
        const queue = Math.floor(load * 10);
        const estimate = controller.estimateMs(prompt, tier, queue, Math.floor(queue / 2), load);
        seen[tier] = (seen[tier] ?? 0) + 1;
        const reason = controller.refuses(prompt, tier, 0, queue, Math.floor(queue / 2), load);
        if (reason !== undefined) refused[tier] = (refused[tier] ?? 0) + 1;
        else controller.answered(estimate + random.integer(-10, 20), 10);
      }
    }
    return { seen, refused, averageMs: controller.averagePrefillMs };
  }

  test('in its own simulation the average climbs to the cap of ten seconds and the free tier is shut out', () => {
    for (const seed of [0, 1, 2]) {
      const { seen, refused, averageMs } = labLoop(seed);
      expect(averageMs).toBeGreaterThan(9000);
      expect((refused[2] ?? 0) / (seen[2] ?? 1)).toBeGreaterThan(0.95);
      expect(refused[0]).toBe(0);
    }
  });

  test('latches: after one burst it refuses everyone on an idle cluster; reserved tiers recover', () => {
    // 12 requests at once, then one every two seconds, each of which an idle instance answers in 100 ms. Once eleven answers
    // were seen, p95 of the window is the burst's, and no answer will ever push the burst out of it.
    const burst = Array.from({ length: 12 }, (_, i) => ({ at: i, prompt: 400, output: 1, priority: 2 }));
    const calm = Array.from({ length: 100 }, (_, i) => ({
      at: 20_000 + 2000 * i,
      prompt: 100,
      output: 1,
      priority: 2,
    }));
    const tiers = [
      { name: 'premium', ttft_ms: 200, reserved: 0.1 },
      { name: 'standard', ttft_ms: 500, reserved: 0.3 },
      { name: 'free', ttft_ms: 1000, reserved: 0.6 },
    ];
    const cluster = { instances: [{ prefill: 1000 }], sequences: 1, slo: { ttft_ms: 500 } };
    const afterwards = (policy: string) =>
      run(cluster, { policy, tiers, parameters: { capacity: 12 } }, [...burst, ...calm]).rows.slice(
        burst.length,
      );
    const published = afterwards('as_published').slice(10);
    expect(published.every((row) => row.status === 'rejected' && row.reason === 'system_health')).toBe(true);
    expect(afterwards('slo_tiers').every((row) => row.status === 'completed' && row.ttft === 100)).toBe(true);
  });
});

describe('Mooncake’s swing', () => {
  /** Four prefill and four decode instances, offered about twice what they can carry; prefill takes seconds, decoding tens. */
  function swinging(policy: string, seed: number) {
    const prefill = Array.from({ length: 4 }, () => ({
      pool: 'prefill' as const,
      prefill: 8000,
      blocks: 1e6,
    }));
    const decode = Array.from({ length: 4 }, () => ({ pool: 'decode' as const, decode: 250, blocks: 1e6 }));
    const spec = withAdmission(
      {
        instances: [...prefill, ...decode],
        sequences: 256,
        router: 'mooncake_conductor',
        slo: { ttft_ms: 20_000, tpot_ms: 100 },
        linkGbPerS: 1000,
      },
      { policy },
    );
    const traffic = generate(
      {
        kind: 'open',
        rate_rps: 12,
        cv: 1,
        duration_s: 900,
        prompt: { kind: 'lognormal', median: 4000, sigma: 0.5, min: 1, max: 60_000 },
        output: { kind: 'lognormal', median: 200, sigma: 0.3, min: 1, max: 2000 },
        prefix_share: 0,
        block_tokens: 16,
      },
      seed,
    );
    const { summary } = runSpecOn(spec, traffic);
    if (summary.admission === undefined) throw new Error('no admission in the summary');
    return { ...summary.admission, good: summary.good_requests ?? 0 };
  }

  test('early rejection swings in antiphase, prediction damps it and serves more in time', () => {
    for (const seed of [1, 2]) {
      const early = swinging('early_rejection', seed);
      const predicted = swinging('predicted_rejection', seed);
      expect(early.load_correlation).toBeLessThan(-0.2);
      expect(early.decode_load.period_s).toBeGreaterThan(10);
      expect(early.decode_load.autocorrelation).toBeGreaterThan(0.2);
      expect(predicted.prefill_load.std).toBeLessThan(0.6 * early.prefill_load.std);
      expect(predicted.decode_load.std).toBeLessThan(0.6 * early.decode_load.std);
      expect(predicted.good).toBeGreaterThan(1.5 * early.good);
    }
  });
});

// ── Whatever happens ──────────────────────────────────────────────────────────────────────────────

const drawnRequests = fc.array(
  fc.record({
    gap: fc.integer({ min: 0, max: 300 }),
    prompt: fc.integer({ min: 1, max: 60 }),
    output: fc.integer({ min: 1, max: 30 }),
    priority: fc.integer({ min: 0, max: 3 }),
  }),
  { minLength: 1, maxLength: 60 },
);
const drawnSetup = fc.record({
  policy: fc.constantFrom(...admissions.map((a) => a.id)),
  pools: fc.constantFrom(
    ['mixed'] as const,
    ['mixed', 'mixed'] as const,
    ['prefill', 'decode'] as const,
    ['prefill', 'prefill', 'decode', 'mixed'] as const,
  ),
  reserved: fc.array(fc.integer({ min: 0, max: 33 }), { minLength: 1, maxLength: 3 }),
  deadline: fc.constantFrom(undefined, 100, 1500),
  capacity: fc.integer({ min: 1, max: 12 }),
  retries: fc.constantFrom(undefined, { most: 2, jitter: 0.5 }),
  threshold: fc.constantFrom(0.2, 1),
  refresh: fc.constantFrom(0, 400),
  router: fc.constantFrom('round_robin', 'score', 'least_outstanding'),
  mix: fc.boolean(),
});
type Drawn = typeof drawnRequests extends fc.Arbitrary<infer T> ? T : never;
type Setup = typeof drawnSetup extends fc.Arbitrary<infer T> ? T : never;

const trafficOf = (drawn: Drawn) => {
  let at = 0;
  return tinyTraffic(
    drawn.map(({ gap, ...request }) => {
      at += gap;
      return { at, ...request };
    }),
  );
};
const specOf = (s: Setup): RunSpec =>
  withAdmission(
    {
      instances: s.pools.map((pool) => ({ pool, blocks: 12 })),
      blockTokens: 8,
      sequences: 4,
      budget: 64,
      router: s.router,
      slo: { ttft_ms: 400, tpot_ms: 150 },
    },
    {
      policy: s.policy,
      parameters: {
        capacity: s.capacity,
        load_threshold: s.threshold,
        telemetry_refresh_ms: s.refresh,
      },
      tiers: s.reserved.map((percent, i) => ({
        name: `t${i}`,
        reserved: percent / 100,
        ttft_ms: 200 * (i + 1),
        ...(s.deadline === undefined ? {} : { deadline_ms: s.deadline * (i + 1) }),
      })),
      ...(s.mix ? { tier_mix: s.reserved.map((_, i) => i + 1) } : {}),
      ...(s.retries === undefined ? {} : { retries: s.retries }),
    },
  );

describe('any policy, any tiers, any requests', () => {
  test('every request is in one place and ends once; tiers add up; nothing is held at the end', () => {
    fc.assert(
      fc.property(drawnRequests, drawnSetup, (drawn, setup) => {
        const spec = specOf(setup);
        const traffic = trafficOf(drawn);
        const replicate = simReplicate(spec, traffic, 0, new Recorder(spec, new KeepingSink()), () => {});
        replicate.onEvent = invariantsOf(replicate);
        expect(replicate.advance(Number.POSITIVE_INFINITY, 20_000)).toBe(true);
        expect(replicate.completed + replicate.rejected).toBe(traffic.requests);
        expect(replicate.desk?.inside.every((n) => n === 0)).toBe(true);
        for (const instance of replicate.instances) {
          expect(instance.pool.used).toBe(0);
          expect(instance.pendingPrefill).toBe(0);
        }
        const { summary } = runSpecOn(spec, traffic);
        const tiers = summary.admission?.tiers ?? [];
        const sum = (of: (tier: (typeof tiers)[number]) => number) =>
          tiers.reduce((total, tier) => total + of(tier), 0);
        expect(sum((t) => t.arrived)).toBe(traffic.requests);
        expect(sum((t) => t.rejected)).toBe(summary.requests.rejected);
        expect(sum((t) => t.completed)).toBe(summary.requests.completed);
        expect(sum((t) => t.good_requests ?? 0)).toBe(summary.good_requests);
      }),
      { numRuns: 150, endOnFailure: true },
    );
  });

  test('reserved shares: never more inside than the capacity, never refused below the reservation', () => {
    fc.assert(
      fc.property(drawnRequests, drawnSetup, (drawn, setup) => {
        const spec = specOf({ ...setup, policy: 'slo_tiers' });
        const traffic = trafficOf(drawn);
        const replicate = simReplicate(spec, traffic, 0, new Recorder(spec, new KeepingSink()), () => {});
        const reserved = setup.reserved.map((percent) => Math.floor((percent / 100) * setup.capacity));
        let refusals = 0;
        replicate.onEvent = () => {
          const { desk, requests } = replicate;
          if (desk === undefined || requests.admission === undefined) throw new Error('no desk');
          const { inside } = desk;
          expect(inside.reduce((a, b) => a + b, 0)).toBeLessThanOrEqual(setup.capacity);
          // Nobody sits in another tier's reservation.
          const spoken = inside.map((n, i) => Math.max(n, reserved[i] ?? 0)).reduce((a, b) => a + b, 0);
          expect(spoken).toBeLessThanOrEqual(setup.capacity);
          if (desk.refusals === refusals) return;
          refusals = desk.refusals;
          for (const r of desk.turnedAway.slice(-1)) {
            // The prefill queue has reservations of its own; see below.
            if (requests.admission.reasonOf(r) !== 'capacity') continue;
            const tier = requests.admission.tier[r] ?? 0;
            expect(inside[tier] ?? 0).toBeGreaterThanOrEqual(reserved[tier] ?? 0);
          }
        };
        expect(replicate.advance(Number.POSITIVE_INFINITY, 20_000)).toBe(true);
      }),
      { numRuns: 150, endOnFailure: true },
    );
  });

  test('who stays within its share of the prefill queue is let in and served in time, whatever floods the rest', () => {
    // 1,000 tokens/s and an objective of 1 s: 0.8 × 1,000 tokens may queue, half of them premium's. It sends 100 at a time.
    const flood = fc.array(
      fc.record({ at: fc.integer({ min: 0, max: 5000 }), prompt: fc.integer({ min: 1, max: 300 }) }),
      { maxLength: 200 },
    );
    fc.assert(
      fc.property(flood, (free) => {
        const premium = Array.from({ length: 10 }, (_, i) => ({ at: 500 * i, prompt: 100, priority: 0 }));
        const requests = [...premium, ...free.map((request) => ({ ...request, priority: 1 }))]
          .sort((a, b) => a.at - b.at)
          .map((request) => ({ ...request, output: 1 }));
        const tiers = [{ name: 'premium', reserved: 0.5 }, { name: 'free' }];
        const { rows } = run(
          { slo: { ttft_ms: 1000 }, sequences: 64 },
          { policy: 'slo_tiers', tiers, parameters: { capacity: 1000 } },
          requests,
        );
        for (const row of rows.filter((each) => each.tier === 'premium')) {
          expect(row.status).toBe('completed');
          expect(row.ttft).toBeLessThanOrEqual(1000);
        }
      }),
      { numRuns: 60, endOnFailure: true },
    );
  });

  test('through crashes, too, every request ends once and nobody stays counted as inside', () => {
    fc.assert(
      fc.property(drawnRequests, drawnSetup, fc.integer({ min: 0, max: 4000 }), (drawn, setup, at) => {
        const spec = runSpec.parse({
          ...specOf({ ...setup, pools: ['mixed', 'mixed'] }),
          timeline: [
            { at_s: at / 1000, event: 'crash', instance: 0 },
            { at_s: at / 1000 + 0.7, event: 'recover', instance: 0, startup_s: 0.3 },
          ],
        });
        const traffic = trafficOf(drawn);
        const replicate = simReplicate(spec, traffic, 0, new Recorder(spec, new KeepingSink()), () => {});
        replicate.onEvent = invariantsOf(replicate);
        expect(replicate.advance(Number.POSITIVE_INFINITY, 20_000)).toBe(true);
        expect(replicate.completed + replicate.rejected).toBe(traffic.requests);
        expect(replicate.desk?.inside.every((n) => n === 0)).toBe(true);
      }),
      { numRuns: 100, endOnFailure: true },
    );
  });

  test('the same spec gives the same bytes', () => {
    fc.assert(
      fc.property(drawnRequests, drawnSetup, (drawn, setup) => {
        const spec = specOf(setup);
        const traffic = trafficOf(drawn);
        const [a, b] = [runSpecOn(spec, traffic), runSpecOn(spec, traffic)];
        expect(JSON.stringify(b.summary)).toBe(JSON.stringify(a.summary));
        for (const table of ['requests', 'decisions', 'samples']) {
          expect(JSON.stringify(b.sink.table(table))).toBe(JSON.stringify(a.sink.table(table)));
        }
      }),
      { numRuns: 40, endOnFailure: true },
    );
  });

  test('letting everyone in changes nothing but what is written down', () => {
    fc.assert(
      fc.property(drawnRequests, drawnSetup, (drawn, setup) => {
        const spec = specOf({ ...setup, policy: 'none', deadline: undefined });
        const traffic = trafficOf(drawn);
        const { admission: _, ...policy } = spec.policy;
        const without = runSpecOn({ ...spec, policy }, traffic);
        const { summary } = runSpecOn(spec, traffic);
        expect(summary.metrics).toEqual(without.summary.metrics);
        expect(summary.per_instance).toEqual(without.summary.per_instance);
      }),
      { numRuns: 40, endOnFailure: true },
    );
  });
});
