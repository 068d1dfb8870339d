import type { HostTime } from '../../../run/engine.ts';
import type { Ns } from '../../../units.ts';
import { type Receiver, type RecordBatch, recordKinds, rowWidth } from '../receiver.ts';
import type { HttpHost, ServerLink } from '../serverLink.ts';
import { decodeUtf8, encodeUtf8 } from '../utf8.ts';

/** Host time that a test moves: a sleep ends at once, at the next thing that happens before its end. */
export class TestTime implements HostTime {
  private clock: Ns = 0;
  private readonly alarms: { at: Ns; call: () => void }[] = [];
  now = (): Ns => this.clock;
  wake(): void {}
  at(at: Ns, call: () => void): void {
    this.alarms.push({ at, call });
    this.alarms.sort((a, b) => a.at - b.at);
  }
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

/** What a fake server does with one request; times from its arrival, ns. */
export interface FakeAnswer {
  readonly firstNs: Ns;
  readonly gapNs: Ns;
  /** From the last token to the end of the answer. */
  readonly tailNs?: Ns;
  /** Instead of an answer: this status. */
  readonly status?: number;
}

/** One request as the servers saw it; times on the host's clock. */
export interface FakeRequest {
  readonly server: number;
  readonly path: string;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Readonly<Record<string, unknown>>;
  readonly startedNs: Ns;
  endedNs: Ns;
}

/** Servers without sockets, in a test's time: every answer is written by a rule. */
export class FakeServers {
  readonly requests: FakeRequest[] = [];
  inFlight = 0;
  mostInFlight = 0;
  private readonly time: TestTime;
  private readonly answer: (request: FakeRequest) => FakeAnswer;

  constructor(time: TestTime, answer: (request: FakeRequest) => FakeAnswer) {
    this.time = time;
    this.answer = answer;
  }

  readonly host: HttpHost = {
    connect: (servers) =>
      Promise.resolve(
        servers.map(
          (instance, i): ServerLink => ({
            instance,
            report: {
              name: instance.name,
              url: instance.url,
              reachable: true,
              models: ['m'],
              capabilities: [],
            },
            address: { host: '127.0.0.1', port: i },
            host: `127.0.0.1:${i}`,
            base: '',
            headers: {},
            dialect: 'completions',
            abilities: {
              tokenIds: true,
              continuousUsage: false,
              returnTokenIds: false,
              ignoreEos: true,
              cacheSalt: true,
            },
            model: 'm',
          }),
        ),
      ),
    receiver: (_time, _tls, wake) => ({
      receiver: new FakeReceiver(this.time, this.serve, wake),
      stamps: 'kernel',
    }),
    watchMetrics: () => ({ latest: undefined, stop: () => undefined }),
    watchEvents: () => undefined,
    ruler: () => undefined,
    loop: () => ({ delayP99Ms: 0, utilisation: 0 }),
    rest: () => undefined,
    runSalt: 7,
  };

  private readonly serve = (
    server: number,
    message: Uint8Array,
    write: (text: string) => void,
    end: () => void,
  ): void => {
    const text = decodeUtf8(message, 0, message.length);
    const [head = '', json = '{}'] = text.split('\r\n\r\n');
    const [first = '', ...lines] = head.split('\r\n');
    const request: FakeRequest = {
      server,
      path: first.split(' ')[1] ?? '',
      headers: new Map(lines.map((line) => [line.split(': ')[0] ?? '', line.split(': ')[1] ?? ''])),
      body: JSON.parse(json) as Readonly<Record<string, unknown>>,
      startedNs: this.time.now(),
      endedNs: Number.NaN,
    };
    this.requests.push(request);
    this.inFlight++;
    this.mostInFlight = Math.max(this.mostInFlight, this.inFlight);
    const { firstNs, gapNs, tailNs = 0, status } = this.answer(request);
    const over = (): void => {
      this.inFlight--;
      request.endedNs = this.time.now();
    };
    const start = this.time.now();
    if (status !== undefined) {
      this.time.at(start + firstNs, () => {
        over();
        write(`HTTP/1.1 ${status} Fault\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`);
        end();
      });
      return;
    }
    const tokens = Number(request.body['max_tokens']);
    const choice = (t: string, finish: string | null): string =>
      `data: {"choices":[{"index":0,"text":"${t}","finish_reason":${finish === null ? 'null' : `"${finish}"`}}]}\n\n`;
    for (let n = 0; n < tokens; n++)
      this.time.at(start + firstNs + n * gapNs, () => {
        const head = 'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n';
        write(`${n === 0 ? head : ''}${choice(' x', null)}`);
      });
    this.time.at(start + firstNs + (tokens - 1) * gapNs + tailNs, () => {
      over();
      write(`${choice('', 'length')}data: [DONE]\n\n`);
      end();
    });
  };
}

type Serve = (server: number, message: Uint8Array, write: (text: string) => void, end: () => void) => void;

class FakeReceiver implements Receiver {
  private readonly time: TestTime;
  private readonly serve: Serve;
  private readonly wake: () => void;
  private readonly dropped = new Set<number>();
  private waiting: { readonly row: readonly number[]; readonly bytes: Uint8Array }[] = [];

  constructor(time: TestTime, serve: Serve, wake: () => void) {
    this.time = time;
    this.serve = serve;
    this.wake = wake;
  }

  connect(connection: number, to: { readonly port: number }, request: Uint8Array, due: Ns): void {
    this.time.at(Math.max(due, this.time.now()), () => {
      if (this.dropped.has(connection)) return;
      for (const kind of [recordKinds.started, recordKinds.connected, recordKinds.sent])
        this.record(kind, connection);
      this.serve(
        to.port,
        request,
        (text) => this.record(recordKinds.kernelBytes, connection, encodeUtf8(text)),
        () => this.record(recordKinds.ended, connection),
      );
    });
  }

  private record(kind: number, connection: number, bytes: Uint8Array = new Uint8Array(0)): void {
    if (this.dropped.has(connection)) return;
    this.waiting.push({ row: [kind, connection, this.time.now(), 0, bytes.length], bytes });
    this.wake();
  }

  send(): void {
    throw new Error('the fake receiver keeps no connections');
  }

  drop(connection: number): void {
    this.dropped.add(connection);
  }

  drain({ rows, bytes }: RecordBatch): number {
    const { waiting } = this;
    this.waiting = [];
    let offset = 0;
    for (const [i, { row, bytes: payload }] of waiting.entries()) {
      rows.set(row, i * rowWidth);
      bytes.set(payload, offset);
      offset += payload.length;
    }
    return waiting.length;
  }

  status(): ReturnType<Receiver['status']> {
    return {
      kind: 'native',
      kernelReads: 0,
      clockReads: 0,
      stalls: 0,
      stalledNs: 0,
      clockErrorNs: 0,
      clockSteps: 0,
    };
  }

  close(): void {}
}
