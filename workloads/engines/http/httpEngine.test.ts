import { describe, expect, test } from 'vitest';
import type { HostTime } from '../../run/engine.ts';
import { type RunSpec, runSpec } from '../../run/spec.ts';
import { closedTraffic } from '../../traffic/closedTraffic.ts';
import type { Traffic } from '../../traffic/traffic.ts';
import { KeepingSink, tinySpec } from '../sim/tinyRun.ts';
import { httpEngine } from './httpEngine.ts';
import { type FakeAnswer, type FakeRequest, FakeServers, TestTime } from './testing/fakeServers.ts';

const ms = 1e6;

function specOn(servers: number, more: Partial<RunSpec> = {}): RunSpec {
  const spec = tinySpec();
  return runSpec.parse({
    ...spec,
    engine: 'http',
    cluster: {
      ...spec.cluster,
      instances: Array.from({ length: servers }, (_, i) => ({
        name: `s${i}`,
        pool: 'mixed',
        serves: 'server',
        url: `http://127.0.0.1:${i}`,
      })),
    },
    ...more,
  });
}

async function driven(
  spec: RunSpec,
  traffic: Traffic,
  answer: (request: FakeRequest) => FakeAnswer,
  until: (servers: FakeServers) => boolean = () => false,
) {
  const time = new TestTime();
  const servers = new FakeServers(time, answer);
  const logged: { readonly level: string; readonly message: string }[] = [];
  const sink = new KeepingSink();
  sink.log = (level: string, message: string) => void logged.push({ level, message });
  const run = await httpEngine(servers.host).open(spec, () => traffic, sink, time);
  while (!until(servers) && !(await run.step(Number.POSITIVE_INFINITY, 1000)));
  const summary = await run.finish();
  const rows = sink
    .table('requests')
    .map((row) => ({
      request: Number(row['request']),
      status: Number(row['http_status']),
      arrival: Number(row['arrival_ns']),
      first: Number(row['first_token_ns']),
      finish: Number(row['finish_ns']),
      sent: Number(row['sent_ns']),
    }))
    .sort((a, b) => a.request - b.request);
  return { servers, summary, rows, logged };
}

const closed = (more: object): Extract<RunSpec['traffic'], { kind: 'closed' }> => ({
  kind: 'closed',
  clients: 1,
  requests: 10,
  think_s: 0,
  think: 'fixed',
  ramp_s: 0,
  prompt: { kind: 'fixed', value: 100 },
  output: { kind: 'fixed', value: 11 },
  ...more,
});

describe('closed loop', () => {
  test('a client thinks from the end of its answer, and its next request leaves on time', async () => {
    const traffic = closed({ requests: 5, think_s: 0.05 });
    const { rows, summary } = await driven(specOn(1, { traffic }), closedTraffic(traffic, 1), () => ({
      firstNs: 100 * ms,
      gapNs: 10 * ms,
      tailNs: 7 * ms,
    }));
    // 100 ms to the first token, ten more at 10 ms, 7 ms to the end of the answer, 50 ms of thinking.
    expect(rows.map(({ arrival }) => arrival / ms)).toEqual([0, 257, 514, 771, 1028]);
    expect(rows.map(({ arrival, sent }) => sent - arrival)).toEqual([0, 0, 0, 0, 0]);
    expect(rows.map(({ arrival, first }) => (first - arrival) / ms)).toEqual([100, 100, 100, 100, 100]);
    expect(summary.client?.schedule_delay_ms?.max).toBe(0);
  });

  test('turns that could not be sent earlier do not make the client decide ever earlier', async () => {
    const traffic = closed({ clients: 4, requests: 400 });
    const { summary } = await driven(specOn(1, { traffic }), closedTraffic(traffic, 1), () => ({
      firstNs: 10 * ms,
      gapNs: 1 * ms,
    }));
    expect(summary.client?.decision_lead_ms).toBeLessThanOrEqual(10);
    expect(summary.client?.schedule_delay_ms?.p99).toBeLessThan(0.1);
  });

  test('never more requests at once than clients, each client its own in turn', async () => {
    const traffic = closed({ clients: 7, requests: 140, think_s: 0.02, think: 'exponential', ramp_s: 0.3 });
    const { servers, summary } = await driven(
      specOn(2, { traffic }),
      closedTraffic(traffic, 3),
      ({ body }) => ({
        firstNs: (5 + (JSON.stringify(body).length % 40)) * ms,
        gapNs: 3 * ms,
        tailNs: 1 * ms,
      }),
    );
    expect(summary.requests.completed).toBe(140);
    expect(servers.mostInFlight).toBe(7);
    const byClient = new Map<string, FakeRequest[]>();
    for (const request of servers.requests) {
      const client = request.headers.get('x-session-affinity') ?? '';
      byClient.set(client, [...(byClient.get(client) ?? []), request]);
    }
    expect(byClient.size).toBe(7);
    for (const own of byClient.values()) {
      expect(own).toHaveLength(20);
      own.forEach((request, i) => {
        if (i > 0) expect(request.startedNs).toBeGreaterThanOrEqual(own[i - 1]?.endedNs ?? Number.NaN);
      });
    }
  });

  test('interactive response time law: clients = throughput × (E2E + think time)', async () => {
    for (const clients of [2, 12]) {
      const traffic = closed({ clients, requests: 100 * clients, think_s: 0.2, ramp_s: 0.5 });
      const busy = { now: 0 };
      const { summary } = await driven(specOn(1, { traffic }), closedTraffic(traffic, 1), ({ startedNs }) => {
        // One server that works off one request after the other, 30 ms each.
        busy.now = Math.max(busy.now, startedNs) + 30 * ms;
        return { firstNs: busy.now - startedNs, gapNs: 0 };
      });
      const { window } = summary;
      if (window === undefined) throw new Error('a window');
      const rate = window.requests / (window.to_s - window.from_s);
      const e2e = (summary.metrics.e2e_ms?.mean ?? 0) / 1e3;
      expect(Math.abs((rate * (e2e + 0.2)) / clients - 1)).toBeLessThan(0.04);
      // Below the knee the think time sets the rate, above it the server does.
      expect(rate).toBeCloseTo(clients === 2 ? 2 / 0.23 : 1 / 0.03, 0);
    }
  });

  test('a client whose request was refused or failed goes on after its think time', async () => {
    const traffic = closed({ clients: 2, requests: 12, think_s: 0.1 });
    const seen = { count: 0 };
    const { rows, summary } = await driven(specOn(1, { traffic }), closedTraffic(traffic, 1), () => {
      const n = seen.count++;
      const status = n % 3 === 1 ? 429 : n % 3 === 2 ? 500 : undefined;
      return { firstNs: 20 * ms, gapNs: ms, ...(status === undefined ? {} : { status }) };
    });
    expect(summary.requests).toMatchObject({ arrived: 12, completed: 4, rejected: 4, failed: 4 });
    for (const { request, arrival } of rows.slice(2)) {
      const before = rows[request - 2];
      expect(arrival - (before?.arrival ?? Number.NaN)).toBe((before?.status === 200 ? 130 : 120) * ms);
    }
  });

  test('ended early, it counts only requests that arrived', async () => {
    const traffic = closed({ clients: 4, requests: 4000, ramp_s: 0.2 });
    const { rows, summary, servers } = await driven(
      specOn(1, { traffic }),
      closedTraffic(traffic, 1),
      () => ({ firstNs: 20 * ms, gapNs: ms }),
      ({ requests }) => requests.length === 600,
    );
    expect(servers.requests).toHaveLength(600);
    // Some of the four next requests may be on their way.
    expect(summary.requests.arrived).toBeGreaterThanOrEqual(600);
    expect(summary.requests.arrived).toBeLessThanOrEqual(604);
    expect(summary.requests.completed + summary.requests.unfinished).toBe(summary.requests.arrived);
    expect(rows).toHaveLength(summary.requests.arrived);
    // The window lasts until the clients stopped, not until they had all begun.
    expect(summary.window?.to_s).toBeGreaterThan(4);
  });
});

test('closed sessions of a trace: a turn follows the answer before it by its think time', async () => {
  const n = 6;
  const traffic: Traffic = {
    ...closedTraffic(closed({ clients: 2, requests: n }), 1),
    arrivalNs: Float64Array.from([0, 40 * ms, 0, 0, 0, 0]),
    turns: {
      previous: Int32Array.from([-1, -1, 0, 1, 2, 3]),
      thinkNs: Float64Array.from([0, 0, 500 * ms, 0, 30 * ms, 1 * ms]),
    },
  };
  const { rows } = await driven(specOn(1), traffic, () => ({
    firstNs: 50 * ms,
    gapNs: 10 * ms,
    tailNs: 5 * ms,
  }));
  // Each answer takes 155 ms.
  expect(rows.map(({ arrival }) => arrival / ms)).toEqual([0, 40, 655, 195, 840, 351]);
  expect(rows.map(({ sent, arrival }) => sent - arrival)).toEqual([0, 0, 0, 0, 0, 0]);
});

test('what is to be doubted, and what failed, is said in few lines', async () => {
  const traffic = closed({ clients: 4, requests: 200 });
  const seen = { count: 0 };
  const { logged, summary } = await driven(specOn(2, { traffic }), closedTraffic(traffic, 1), () => ({
    firstNs: 5 * ms,
    gapNs: ms,
    ...(seen.count++ % 2 === 0 ? { status: 500 } : {}),
  }));
  expect(summary.requests.failed).toBe(100);
  const warnings = logged.filter(({ level }) => level === 'warning').map(({ message }) => message);
  expect(warnings).toEqual([
    'request 0 failed: s0: status 500',
    expect.stringMatching(/^\d+ more requests failed like it: s0: status 500$/),
    expect.stringMatching(/^client: no self-test could be made/),
    expect.stringMatching(/^answers: no server reports cached tokens/),
  ]);
  expect(logged.map(({ message }) => message)).toContain(
    'prefix caches: cold at the start of each replicate (cache_salt); no server reports how many prompt tokens came from its prefix cache',
  );
});

test('replicates begin when their turn comes; what a cancelled run has measured stands', async () => {
  const traffic = closed({ clients: 2, requests: 6 });
  const spec = { ...specOn(1, { traffic }), iterations: 3 };
  const time = new TestTime();
  const servers = new FakeServers(time, () => ({ firstNs: 10 * ms, gapNs: ms }));
  const asked: [replicate: number, sent: number][] = [];
  const turns: HostTime = {
    now: time.now,
    wake: () => time.wake(),
    sleep: (at) => time.sleep(at),
    turn: (replicate) => {
      asked.push([replicate, servers.requests.length]);
      return Promise.resolve(replicate < 2);
    },
  };
  const run = await httpEngine(servers.host).open(
    spec,
    () => closedTraffic(traffic, 1),
    new KeepingSink(),
    turns,
  );
  while (asked.length < 2) await run.step(Number.POSITIVE_INFINITY, 1000);
  expect(asked).toEqual([
    [1, 6],
    [2, 12],
  ]);
  expect((await run.finish()).requests).toMatchObject({ arrived: 12, completed: 12 });
});
