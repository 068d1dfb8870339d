import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TelemetryBoard } from '../cluster/telemetryBoard.ts';
import { runSpecOn, tinyRun, tinySpec, tinyTraffic } from '../engines/sim/tinyRun.ts';
import { findMetric } from '../metrics/registry.ts';
import type { PoolRole } from '../run/poolRole.ts';
import { stream } from '../run/random.ts';
import { type ClusterView, type Router, ScoreSheet, type VisibleRequest } from './router.ts';
import { findRouter, routers } from './routers.ts';

const n = 3;
const cluster: ClusterView = {
  instances: n,
  role: ['mixed', 'mixed', 'mixed'],
  profiledPrefillRate: new Float64Array(n).fill(1000),
  profiledDecodeNs: new Float64Array(n).fill(1e6),
  profiledPerSequenceNs: new Float64Array(n).fill(1e5),
  profiledPerContextNs: new Float64Array(n),
  hourlyCost: new Float64Array(n).fill(Number.NaN),
  kvBytesPerToken: 131072,
  blockTokens: 16,
  maxBatchedTokens: 8192,
  maxSequences: 256,
  linkBytesPerSec: 50e9,
  linkLatencyNs: 0,
  slo: { ttft_ms: 1000, tpot_ms: 50 },
};

const request = (cached: readonly number[], promptTokens = 160): VisibleRequest => ({
  request: 0,
  nowNs: 0,
  arrivalNs: 0,
  promptTokens,
  contextTokens: promptTokens,
  priority: 0,
  session: 7,
  blocks: 10,
  holder: -1,
  cachedTokens: Float64Array.from(cached),
});

function make(id: string, parameters = {}): Router {
  const kind = findRouter(id);
  if (kind === undefined) throw new Error(id);
  return kind.create({ cluster, parameters, random: stream(1, 'routing') });
}

function sheetOf(id: string): ScoreSheet {
  return new ScoreSheet(n, findRouter(id)?.terms.length ?? 0);
}

function board(
  columns: Partial<Record<'waiting' | 'running' | 'pendingPrefill' | 'kvUsed', readonly number[]>>,
) {
  const b = new TelemetryBoard(n);
  b.kvTotal.fill(100);
  for (const [name, values] of Object.entries(columns)) {
    if (name === 'waiting') b.waiting.set(values);
    if (name === 'running') b.running.set(values);
    if (name === 'pendingPrefill') b.pendingPrefill.set(values);
    if (name === 'kvUsed') b.kvUsed.set(values);
  }
  return b;
}

const choice = (
  id: string,
  columns: Parameters<typeof board>[0],
  cached: readonly number[] = [0, 0, 0],
  parameters = {},
): number => make(id, parameters).prefill(request(cached), board(columns), sheetOf(id));

describe('published formulas', () => {
  test('Dynamo’s worked example: 8 + 10 = 18, 5 + 5 = 10, 2 + 9 = 11', () => {
    // A prompt of 10 blocks with 2, 5 and 8 blocks cached leaves 8, 5 and 2; 10, 5 and 9 blocks decode.
    const sheet = sheetOf('dynamo_kv');
    const chosen = make('dynamo_kv').prefill(request([32, 80, 128]), board({ kvUsed: [10, 5, 9] }), sheet);
    expect([...sheet.total]).toEqual([-18, -10, -11]);
    expect(chosen).toBe(1);
  });

  test('Dynamo’s credits: a block in HBM counts whole, in host memory three quarters, on disk one', () => {
    const sheet = sheetOf('dynamo_kv');
    const tierTokens = { host: Float64Array.of(0, 64, 0), disk: Float64Array.of(0, 0, 64) };
    const chosen = make('dynamo_kv').prefill({ ...request([32, 0, 0]), tierTokens }, board({}), sheet);
    // Of ten blocks: two in HBM, four in host memory, four on disk.
    expect([...sheet.total]).toEqual([-8, -7, -9]);
    expect(chosen).toBe(1);
  });

  test('vLLM: least 4 × waiting + running', () => {
    expect(choice('vllm_dp', { waiting: [1, 0, 0], running: [0, 5, 3] })).toBe(2);
    expect(choice('vllm_dp', { waiting: [1, 0, 0], running: [0, 5, 6] })).toBe(0);
  });

  test('SGLang: the cache decides while the load is balanced, the shortest queue when it is not', () => {
    const cached = [160, 0, 0];
    expect(choice('sglang_cache_aware', { running: [60, 5, 1] }, cached)).toBe(0);
    expect(choice('sglang_cache_aware', { running: [70, 5, 1] }, cached)).toBe(2);
    // 30 % of the prompt is not more than the threshold of 0.3.
    expect(choice('sglang_cache_aware', { running: [3, 2, 1] }, [48, 0, 0])).toBe(2);
  });

  test('llm-d: 2 × queue + 2 × (1 − KV) + 3 × prefix', () => {
    const sheet = sheetOf('llm_d');
    make('llm_d').prefill(request([80, 0, 0]), board({ waiting: [4, 0, 2], kvUsed: [50, 0, 100] }), sheet);
    expect([...sheet.total]).toEqual([0 + 1 + 1.5, 2 + 2 + 0, 1 + 0 + 0]);
  });

  test('production-stack: matched share − (load − mean)/max(1, mean)', () => {
    const sheet = sheetOf('load_aware');
    make('load_aware').prefill(request([160, 0, 0]), board({ running: [4, 2, 0] }), sheet);
    expect([...sheet.total]).toEqual([1 - 1, 0, 1]);
  });

  test('the greedy prefix ignores any load', () => {
    expect(choice('longest_prefix', { waiting: [0, 1e6, 0] }, [0, 16, 0])).toBe(1);
  });
});

describe('the lab’s score', () => {
  test('as published, tokens per second are nearly all of the total, and the busy instance wins', () => {
    const b = board({ running: [0, 30, 0] });
    b.tokensPerSecond.set([0, 3400, 0]);
    const sheet = sheetOf('as_published');
    const holder = { ...request([0, 0, 0]), holder: 0 };
    expect(make('as_published').decode?.(holder, b, sheet)).toBe(1);
    const terms = sheet.terms.subarray(sheet.termCount, 2 * sheet.termCount);
    expect((terms[1] ?? 0) / (sheet.total[1] ?? 1)).toBeGreaterThan(0.99);
  });

  test('normalised, a queue beats a fast past, and a long prefix beats a short queue', () => {
    expect(choice('score', { pendingPrefill: [3000, 0, 500] })).toBe(1);
    // 160 tokens cached save 0.16 s; with weight 5 they are worth a wait of 0.8 s less than that.
    expect(choice('score', { pendingPrefill: [500, 0, 0] }, [144, 0, 0])).toBe(0);
    expect(choice('score', { pendingPrefill: [2000, 0, 0] }, [144, 0, 0])).toBe(1);
  });
});

describe('an idle fleet of eight equal instances', () => {
  // One request at a time: each finds all instances idle.
  const alone = (shared: boolean) =>
    Array.from({ length: 400 }, (_, i) => ({
      at: i * 2000,
      prompt: 64,
      output: 2,
      ids: Array.from({ length: 4 }, (__, k) => (shared && k < 3 ? k : 10 + 4 * i + k)),
    }));
  const spread = (router: string, shared: boolean): readonly number[] => {
    const instances = Array.from({ length: 8 }, () => ({ blocks: 4000 }));
    const { summary } = tinyRun({ router, instances }, alone(shared));
    return summary.per_instance.map(({ prefills }) => prefills);
  };

  test.each([
    'least_outstanding',
    'token_jsq',
    'sglang_cache_aware',
    'vllm_dp',
    'load_aware',
    'llm_d',
    'dynamo_kv',
    'mooncake_conductor',
    'complexity',
    'score',
  ])('%s does not send everything to one of them', (router) => {
    const counts = spread(router, false);
    expect(Math.min(...counts)).toBeGreaterThan(25);
    expect(Math.max(...counts)).toBeLessThan(80);
  });

  test('the conductor follows a shared prefix, and spreads once it is everywhere', () => {
    const instances = Array.from({ length: 8 }, () => ({ blocks: 4000 }));
    // 400 requests/s, each 64 ms where nothing is cached and 16 ms where the shared head is: 6.4 instances' work at the least.
    const requests = alone(true).map((r, i) => ({ ...r, at: 2.5 * i, prompt: 64 }));
    const { summary } = tinyRun({ router: 'mooncake_conductor', instances }, requests);
    const counts = summary.per_instance.map(({ prefills }) => prefills).sort((a, b) => a - b);
    expect((counts.at(-1) ?? Number.NaN) / (counts[0] ?? Number.NaN)).toBeLessThan(2.5);
  });
});

describe('every policy', () => {
  const requests = Array.from({ length: 60 }, (_, i) => ({
    at: i * 40,
    prompt: 32 + (i % 5) * 16,
    output: 1 + (i % 7),
    ids: Array.from({ length: 2 + (i % 5) }, (_, k) => (k === 0 ? 0 : 1 + (i % 6) * 10 + k)),
  }));

  test.each(routers.map((r) => r.id))('%s serves all requests, from one pool and from two', (router) => {
    for (const pools of [['mixed', 'mixed', 'mixed'] as const, ['prefill', 'decode', 'decode'] as const]) {
      const instances = pools.map((pool) => ({ pool, blocks: 200 }));
      const a = tinyRun({ router, instances }, requests);
      expect(a.summary.requests).toMatchObject({ arrived: 60, admitted: 60, completed: 60 });
      // Every decision names one chosen candidate, and every candidate has a score.
      const rows = a.sink.table('decisions').filter((row) => row['stage'] === 'prefill');
      expect(rows.filter((row) => row['chosen'] === 1).length).toBe(60);
      expect(rows.every((row) => Number.isFinite(Number(row['score'])))).toBe(true);
    }
  });

  test.each(routers.map((r) => r.id))('%s never sees how long an answer will be', (router) => {
    // Twice the same arrivals with one request each per second, answers of other lengths: the first decisions agree.
    const spec = tinySpec({ router, instances: [{}, {}, {}] });
    const decide = (output: number) =>
      runSpecOn(
        spec,
        tinyTraffic(
          requests.slice(0, 3).map((r) => ({ ...r, at: 0, output })),
          16,
        ),
      )
        .sink.table('decisions')
        .filter((row) => row['stage'] === 'prefill')
        .map((row) => row['score']);
    expect(decide(2)).toEqual(decide(40));
  });

  test.each(routers.map((r) => r.id))('%s never chooses who takes no requests', (id) => {
    const kind = findRouter(id);
    if (kind === undefined) throw new Error(id);
    const bit = fc.integer({ min: 0, max: 1 });
    const membership = fc.record({
      takes: fc.array(bit, { minLength: 4, maxLength: 4 }),
      roles: fc.array(fc.constantFrom<PoolRole>('mixed', 'prefill', 'decode'), {
        minLength: 4,
        maxLength: 4,
      }),
      load: fc.array(fc.integer({ min: 0, max: 50 }), { minLength: 4, maxLength: 4 }),
      cached: fc.array(fc.integer({ min: 0, max: 160 }), { minLength: 4, maxLength: 4 }),
    });
    fc.assert(
      fc.property(fc.array(membership, { minLength: 1, maxLength: 8 }), (changes) => {
        const now = { version: 0, takes: new Uint8Array(4) };
        const role: PoolRole[] = ['mixed', 'mixed', 'mixed', 'mixed'];
        const four = (value: number) => new Float64Array(4).fill(value);
        const view: ClusterView = {
          ...cluster,
          instances: 4,
          role,
          membership: now,
          profiledPrefillRate: four(1000),
          profiledDecodeNs: four(1e6),
          profiledPerSequenceNs: four(1e5),
          profiledPerContextNs: four(0),
          hourlyCost: four(Number.NaN),
        };
        const router = kind.create({ cluster: view, parameters: {}, random: stream(1, 'routing') });
        const b = new TelemetryBoard(4);
        b.kvTotal.fill(100);
        const scores = new ScoreSheet(4, kind.terms.length);
        changes.forEach(({ takes, roles, load, cached }, k) => {
          now.takes.set(takes);
          now.version++;
          role.splice(0, 4, ...roles);
          b.running.set(load);
          const ask = { ...request(cached), nowNs: k * 1e6, session: k };
          if (takes.includes(1)) {
            scores.clear();
            const chosen = router.prefill(ask, b, scores);
            expect(takes[chosen]).toBe(1);
            // The prefill pool and the mixed ones come first.
            const able = roles.some((r, i) => r !== 'decode' && takes[i] === 1);
            expect(able && roles[chosen] === 'decode').toBe(false);
            scores.candidate.forEach((c, i) => {
              if (c === 1) expect(takes[i]).toBe(1);
            });
          }
          if (roles.some((r, i) => r !== 'prefill' && takes[i] === 1)) {
            scores.clear();
            const chosen = router.decode?.({ ...ask, holder: -1 }, b, scores) ?? -1;
            expect([takes[chosen], roles[chosen] === 'prefill']).toEqual([1, false]);
          }
        });
      }),
      { numRuns: 60 },
    );
  });

  test('ids, terms and parameters are named once', () => {
    expect(new Set(routers.map((r) => r.id)).size).toBe(routers.length);
    for (const router of routers) {
      expect(new Set(router.terms.map((t) => t.id)).size).toBe(router.terms.length);
      expect(router.terms.every((t) => /^[a-z_]+$/.test(t.id) && t.meaning !== '')).toBe(true);
    }
  });

  test('samples use ids of the metric registry only', () => {
    const { sink } = tinyRun({ slo: { ttft_ms: 100 } }, requests);
    const ids = new Set(sink.table('samples').map((row) => String(row['metric'])));
    expect(ids.size).toBeGreaterThan(10);
    for (const id of ids) expect(findMetric(id), id).toBeDefined();
  });
});
