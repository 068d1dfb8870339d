// One measured client as a process of its own: `client KIND STREAMS MODE TOKENS GAP_US PORT SKIP` prints a JSON line.
// KIND: native, native-clock, javascript (our receivers), node-http (node:http and JSON.parse, as most tools do it).
import { Agent, request } from 'node:http';
import { isMainThread, workerData } from 'node:worker_threads';
import { HttpClient } from '../../../../workloads/engines/http/httpClient.ts';
import { Lateness } from '../../../../workloads/engines/http/lateness.ts';
import { requestBytes } from '../../../../workloads/engines/http/requestBytes.ts';
import { serveLane } from '../laneWorker.ts';
import { openReceiver } from '../openReceiver.ts';
import { isLaneWorker } from '../socketReceiver.ts';

export interface Plan {
  readonly streams: number;
  readonly mode: string;
  readonly tokens: number;
  readonly gap: number;
  readonly port: number;
  readonly skip: number;
}

const pathOf = ({ tokens, gap, mode }: Plan, more = ''): string =>
  `/v1/completions?k=${tokens}&gap=${gap}&mode=${mode}${more}`;
const ms = (ns: number): number => Math.round(ns / 100) / 1e4;
const cpuSeconds = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};

/** When streams step together: how far apart the server's own writes of one step lie. */
class BurstWidth {
  readonly #steps = new Map<number, [first: number, last: number]>();
  readonly #gapNs: number;
  constructor(gapNs: number) {
    this.#gapNs = gapNs;
  }
  add(written: number): void {
    const step = Math.floor(written / this.#gapNs);
    const known = this.#steps.get(step);
    if (known === undefined) this.#steps.set(step, [written, written]);
    else known[1] = Math.max(known[1], written);
  }
  median(): number {
    const widths = [...this.#steps.values()].map(([first, last]) => last - first).sort((a, b) => a - b);
    return widths[widths.length >> 1] ?? 0;
  }
}

async function ours(kind: string, plan: Plan): Promise<object> {
  const origin = process.hrtime.bigint();
  const originNs = Number(origin);
  const now = (): number => Number(process.hrtime.bigint() - origin);
  const late = new Lateness(plan.skip);
  const width = new BurstWidth(plan.gap * 1000);
  let over = 0;
  let poll: () => void = () => undefined;
  const { receiver, stamps } = openReceiver(import.meta.url, {
    origin,
    wake: () => poll(),
    tls: false,
    force: kind === 'native-clock' ? 'native clock' : kind === 'javascript' ? 'javascript' : 'native',
    threads: 1,
  });
  const finished = new Promise<void>((resolve) => {
    const client = new HttpClient(receiver, [{ host: '127.0.0.1', port: plan.port }], {
      tokens: (row, time, _, written) => {
        late.add(row, time, written - originNs);
        width.add(written);
      },
      over: () => {
        if (++over === plan.streams) resolve();
      },
    });
    poll = () => void client.poll();
    const message = requestBytes({ path: pathOf(plan), host: 'x', keepAlive: false }, '{}');
    for (let i = 0; i < plan.streams; i++) client.submit(0, message, 0, 0);
    void now;
  });
  await finished;
  const status = receiver.status();
  receiver.close();
  return {
    ...figures(late),
    width: ms(width.median()),
    stamps,
    stalls: status.stalls,
    clockError: ms(status.clockErrorNs),
  };
}

function nodeHttp(plan: Plan): Promise<object> {
  const late = new Lateness(plan.skip);
  const agent = new Agent({ keepAlive: false });
  let over = 0;
  return new Promise((resolve) => {
    for (let i = 0; i < plan.streams; i++) {
      const sent = request(
        {
          host: '127.0.0.1',
          port: plan.port,
          path: pathOf(plan),
          method: 'POST',
          agent,
          headers: { 'content-length': 2 },
        },
        (answer) => {
          let held = '';
          answer.on('data', (piece: Buffer) => {
            const time = Number(process.hrtime.bigint());
            held += piece.toString('latin1');
            for (let end = held.indexOf('\n\n'); end !== -1; end = held.indexOf('\n\n')) {
              const line = held.slice(6, end);
              held = held.slice(end + 2);
              if (line === '[DONE]') continue;
              const event = JSON.parse(line) as { readonly ns: number };
              late.add(i, time, event.ns);
            }
          });
          answer.on('end', () => {
            if (++over === plan.streams) resolve(figures(late));
          });
        },
      );
      sent.end('{}');
    }
  });
}

function figures(late: Lateness): object {
  const got = late.summary();
  if (got === undefined) return { events: 0 };
  return {
    events: late.events,
    late50: ms(got.p50),
    late99: ms(got.p99),
    first99: ms(got.firstP99),
    gap50: ms(got.gapP50),
    gap99: ms(got.gapP99),
    gap999: ms(got.gapP999),
    cpu: Math.round(cpuSeconds() * 1000) / 1000,
  };
}

/** Requests at random times, `rate` per second: how late the sender turned to them and had them out. */
async function sender(kind: string, port: number, rate: number, count: number): Promise<object> {
  const origin = process.hrtime.bigint();
  const now = (): number => Number(process.hrtime.bigint() - origin);
  let poll: () => void = () => undefined;
  let over = 0;
  const { receiver } = openReceiver(import.meta.url, {
    origin,
    wake: () => poll(),
    tls: false,
    force: kind === 'javascript' ? 'javascript' : 'native',
    threads: 1,
  });
  let seed = 12345;
  const uniform = (): number => {
    seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
    return (seed + 1) / 0x80000001;
  };
  const leads = new Float64Array(count);
  const client = await new Promise<HttpClient>((resolve) => {
    const all = new HttpClient(receiver, [{ host: '127.0.0.1', port }], {
      tokens: () => undefined,
      over: () => {
        if (++over === count) resolve(all);
      },
    });
    poll = () => void all.poll();
    const plan = { streams: 1, mode: 'stagger', tokens: 4, gap: 1000, port, skip: 0 };
    const message = requestBytes({ path: pathOf(plan, '&wait=1000'), host: 'x', keepAlive: false }, '{}');
    // Handed over ahead of time: a busy machine that stops this thread for a while delays no request.
    let due = now() + 500e6;
    let submitted = 0;
    const ahead = setInterval(() => {
      while (submitted < count && due < now() + 500e6) {
        const row = all.submit(0, message, due, now());
        leads[row] = due - now();
        due += (-Math.log(uniform()) / rate) * 1e9;
        submitted++;
      }
      if (submitted === count) clearInterval(ahead);
    }, 5);
  });
  receiver.close();
  const { records } = client;
  // Requests that this thread handed over too late say nothing about the sender.
  const timely = Array.from({ length: count }, (_, i) => i).filter((i) => (leads[i] ?? 0) > 2e6);
  const differences = (to: Float64Array) =>
    Float64Array.from(timely, (i) => (to[i] ?? 0) - (records.due[i] ?? 0)).sort();
  const at = (sorted: Float64Array, q: number) =>
    ms(sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0);
  const started = differences(records.started);
  const sent = differences(records.sent);
  const failed = Array.from({ length: count }, (_, i) => records.outcomeOf(i)).filter(
    (o) => o !== 'ok',
  ).length;
  return {
    started50: at(started, 0.5),
    started99: at(started, 0.99),
    startedMax: at(started, 1),
    sent99: at(sent, 0.99),
    handedOverLate: count - timely.length,
    failed,
    cpu: cpuSeconds(),
  };
}

/** `count` requests, `streams` at a time: every token once. */
async function complete(
  kind: string,
  port: number,
  count: number,
  streams: number,
  tokens: number,
): Promise<object> {
  const origin = process.hrtime.bigint();
  let poll: () => void = () => undefined;
  const { receiver } = openReceiver(import.meta.url, {
    origin,
    wake: () => poll(),
    tls: false,
    force: kind === 'javascript' ? 'javascript' : 'native',
    threads: 1,
  });
  let submitted = 0;
  let over = 0;
  const began = performance.now();
  const client = await new Promise<HttpClient>((resolve) => {
    const plan = { streams, mode: 'stagger', tokens, gap: 10_000, port, skip: 0 };
    const message = requestBytes({ path: pathOf(plan, '&wait=1000'), host: 'x', keepAlive: false }, '{}');
    const next = () => {
      if (submitted === count) return;
      submitted++;
      all.submit(0, message, 0, 0);
    };
    const all = new HttpClient(receiver, [{ host: '127.0.0.1', port }], {
      tokens: () => undefined,
      over: () => {
        next();
        if (++over === count) resolve(all);
      },
    });
    poll = () => void all.poll();
    for (let i = 0; i < streams; i++) next();
  });
  const wall = (performance.now() - began) / 1000;
  receiver.close();
  let wrong = 0;
  let total = 0;
  for (let row = 0; row < count; row++) {
    total += client.records.tokens[row] ?? 0;
    if (client.records.tokens[row] !== tokens || client.records.outcomeOf(row) !== 'ok') wrong++;
  }
  return {
    requests: count,
    wrong,
    tokens: total,
    expected: count * tokens,
    perSecond: Math.round(total / wall),
    cpu: cpuSeconds(),
  };
}

async function main(): Promise<void> {
  const [what = '', kind = '', ...rest] = process.argv.slice(2);
  const numbers = rest.map(Number);
  const number = (index: number): number => numbers[index] ?? 0;
  let result: object;
  if (what === 'sender') result = await sender(kind, number(0), number(1), number(2));
  else if (what === 'complete') result = await complete(kind, number(0), number(1), number(2), number(3));
  else {
    const plan = {
      streams: number(0),
      mode: rest[1] ?? 'burst',
      tokens: number(2),
      gap: number(3),
      port: number(4),
      skip: number(5),
    };
    result = kind === 'node-http' ? await nodeHttp(plan) : await ours(kind, plan);
  }
  process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0));
}

if (isMainThread) void main();
else if (isLaneWorker(workerData)) serveLane(workerData);
