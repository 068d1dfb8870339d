import { describe, expect, test } from 'vitest';
import { findTarget } from '../../catalog/catalog.ts';
import type { HostTime } from '../../run/engine.ts';
import type { RunSpec } from '../../run/spec.ts';
import type { Instance } from '../../serving/instance.ts';
import type { PassPlan } from '../../serving/passPlan.ts';
import { generate } from '../../traffic/generate.ts';
import type { Traffic } from '../../traffic/traffic.ts';
import { wholeBlocks } from '../../traffic/wholeBlocks.ts';
import type { Ns } from '../../units.ts';
import { KeepingSink, runSpecOn, type TinyRequest, tinyRun, tinySpec, tinyTraffic } from '../sim/tinyRun.ts';
import { type ScriptedDevice, scriptedEngine } from './scriptedEngine.ts';

/** Host time that a test moves: a sleep ends at once, and everything that was due meanwhile has happened. */
class TestTime implements HostTime {
  private clock: Ns = 0;
  private readonly alarms: { at: Ns; call: () => void }[] = [];
  now = (): Ns => this.clock;
  wake(): void {}
  readonly alarm: ScriptedDevice['alarm'] = (at, call) => {
    this.alarms.push({ at, call });
    this.alarms.sort((a, b) => a.at - b.at);
  };
  sleep(at: Ns): Promise<void> {
    const [first] = this.alarms;
    if (first !== undefined && first.at <= at) {
      this.alarms.shift();
      this.clock = Math.max(this.clock, first.at);
      first.call();
    } else this.clock = Math.max(this.clock, at);
    return Promise.resolve();
  }
}

async function scripted(spec: RunSpec, traffic: Traffic, device: Partial<ScriptedDevice> = {}) {
  const time = new TestTime();
  const sink = new KeepingSink();
  const run = await scriptedEngine({ alarm: time.alarm, ...device }).open(spec, () => traffic, sink, time);
  while (!(await run.step(Number.POSITIVE_INFINITY, 1000)));
  return { summary: await run.finish(), sink };
}

const rows = (sink: KeepingSink) =>
  sink
    .table('requests')
    .map((row) => ({
      request: Number(row['request']),
      scheduled: Number(row['scheduled_ns']),
      first: Number(row['first_token_ns']),
      finish: Number(row['finish_ns']),
      decode: Number(row['decode_instance']),
    }))
    .sort((a, b) => a.request - b.request);

describe('passes that an executor runs', () => {
  // One instance, 1 ms per prompt token and 100 ms per output token:
  //   0 ├ prompt 100 ┤ 100 ├ decode ┤ 200 ├ decode ┤ 300
  const requests = [
    { at: 0, prompt: 100, output: 3 },
    { at: 150, prompt: 50, output: 2 },
  ];

  test('give the times that the simulator gives', async () => {
    const { sink } = await scripted(tinySpec(), tinyTraffic(requests));
    const simulated = tinyRun({}, requests);
    expect(rows(sink).map((r) => [r.first / 1e6, r.finish / 1e6])).toEqual(
      simulated.requests.map((r) => [r.first, r.finish]),
    );
  });

  test('hand KV caches over to a decode pool', async () => {
    const cluster = {
      instances: [{ pool: 'prefill' }, { pool: 'decode' }] as const,
      linkGbPerS: 1,
    };
    const { sink, summary } = await scripted(tinySpec(cluster), tinyTraffic(requests));
    const simulated = tinyRun(cluster, requests);
    expect(summary.kv.transfers).toBe(2);
    expect(rows(sink).map((r) => r.decode)).toEqual([1, 1]);
    const found = rows(sink).map((r) => r.finish / 1e6);
    simulated.requests.forEach(({ finish }, i) => {
      expect(found[i]).toBeCloseTo(finish, 3);
    });
  });
});

/** KV memory whose slots hold the name of the token that was written there: prefix blocks by id, all else by request. */
class NamedMemory implements Partial<ScriptedDevice> {
  private readonly slots = new Map<string, string>();
  private readonly traffic: Traffic;
  private readonly blockTokens: number;
  rowsSeen = 0;
  blocksCopied = 0;

  constructor(traffic: Traffic, blockTokens: number) {
    this.traffic = wholeBlocks(traffic);
    this.blockTokens = blockTokens;
  }

  private name(r: number, position: number): string {
    const from = this.traffic.blockOffsets[r] ?? 0;
    const ids = (this.traffic.blockOffsets[r + 1] ?? 0) - from;
    const block = Math.floor(position / this.blockTokens);
    const offset = position % this.blockTokens;
    return block < ids ? `id ${this.traffic.blockIds[from + block]}.${offset}` : `request ${r}.${position}`;
  }

  pass = (instance: Instance, plan: PassPlan): void => {
    const { blockTokens } = this;
    for (let row = 0; row < plan.rows; row++) {
      this.rowsSeen++;
      const r = plan.request[row] ?? -1;
      const table = instance.pool.tables?.of(r) ?? [];
      const slot = (p: number) =>
        `${instance.index}/${table[Math.floor(p / blockTokens)]}/${p % blockTokens}`;
      const start = plan.start[row] ?? 0;
      for (let p = 0; p < start; p++) {
        if (this.slots.get(slot(p)) !== this.name(r, p)) {
          throw new Error(
            `request ${r} reads ${this.slots.get(slot(p))} at ${p}, expected ${this.name(r, p)}`,
          );
        }
      }
      for (let p = start; p < start + (plan.tokens[row] ?? 0); p++) this.slots.set(slot(p), this.name(r, p));
    }
  };

  copy: NonNullable<ScriptedDevice['copy']> = ({ from, to, source, target, skip }) => {
    for (let b = skip; b < Math.min(source.length, target.length); b++) {
      this.blocksCopied++;
      for (let offset = 0; offset < this.blockTokens; offset++) {
        const found = this.slots.get(`${from}/${source[b]}/${offset}`);
        if (found !== undefined) this.slots.set(`${to}/${target[b]}/${offset}`, found);
      }
    }
  };
}

describe('block tables', () => {
  // Conversations that share prefixes, in so little memory that blocks are evicted and requests preempted.
  const crowd = (n: number): TinyRequest[] =>
    Array.from({ length: n }, (_, i) => ({
      at: 40 * i,
      prompt: 40 + ((i * 7) % 25),
      output: 5 + ((i * 11) % 30),
      ids: Array.from({ length: Math.ceil((40 + ((i * 7) % 25)) / 16) }, (_, b) =>
        b === 0 ? 1 : 10 + (i % 5) * 10 + b,
      ),
    }));

  test.each([
    ['one instance', { instances: [{ blocks: 14 }] }],
    ['two instances', { instances: [{ blocks: 14 }, { blocks: 11 }] }],
    [
      'prefill and decode pools',
      {
        instances: [
          { pool: 'prefill', blocks: 14 },
          { pool: 'decode', blocks: 16 },
        ],
      },
    ],
  ] as const)('lead every row to what it wrote: %s', async (_name, cluster) => {
    const traffic = tinyTraffic(crowd(60), 16);
    const memory = new NamedMemory(traffic, 16);
    const spec = tinySpec({ ...cluster, blockTokens: 16, sequences: 6, budget: 64 });
    const { summary } = await scripted(spec, traffic, memory);
    expect(summary.requests.completed).toBe(60);
    expect(memory.rowsSeen).toBeGreaterThan(600);
    expect(summary.kv.hits).toBeGreaterThan(0);
    expect(summary.kv.evictions).toBeGreaterThan(0);
    if (cluster.instances.length === 2 && 'pool' in cluster.instances[0]) {
      expect(memory.blocksCopied).toBeGreaterThan(60);
    } else expect(summary.requests.preempted).toBeGreaterThan(0);
  });
});

describe('the router lab in real time', () => {
  const target = findTarget('labs/dynamic_router:dynamic_router');
  if (target === undefined) throw new Error('the router lab is not in the catalogue');

  test.each(['baseline', 'optimized'])(
    '%s serves every request, as the simulator does',
    async (variant) => {
      const spec = target.spec({
        variant,
        engine: 'sim',
        parameters: { ticks: 12 },
        seed: 3,
        iterations: 1,
      });
      if (spec.traffic.kind === 'trace') throw new Error('expected generated traffic');
      const traffic = generate(spec.traffic, spec.seed);
      const simulated = runSpecOn(spec, traffic);
      const { summary } = await scripted(spec, traffic);
      expect(summary.requests).toEqual(
        expect.objectContaining({ completed: traffic.requests, unfinished: 0 }),
      );
      const ttft = (of: typeof summary) => of.metrics.ttft_ms?.mean ?? Number.NaN;
      // Pass boundaries fall alike, so the means differ by what ties and float rounding decide.
      expect(ttft(summary) / ttft(simulated.summary)).toBeGreaterThan(0.9);
      expect(ttft(summary) / ttft(simulated.summary)).toBeLessThan(1.1);
    },
    120_000,
  );
});
