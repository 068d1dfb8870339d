import { type Ns, nsPerSecond } from '../../units.ts';
import { Exchange, type ExchangeListener } from './exchange.ts';
import {
  type Address,
  errnoNames,
  type Receiver,
  type RecordBatch,
  recordBatch,
  recordKinds,
  rowWidth,
} from './receiver.ts';
import { RequestRecords } from './requestRecords.ts';

export interface ClientOptions {
  /** Use a connection again after a clean answer; the default is a fresh one for each request. */
  readonly reuse: boolean;
  readonly connectTimeout: Ns;
  /** Longest silence of the server once connected: a long prefill is no error, a dead server is. */
  readonly silenceTimeout: Ns;
  /** From the due time to the end. */
  readonly totalTimeout: Ns;
}

export const clientDefaults: ClientOptions = {
  reuse: false,
  connectTimeout: 10 * nsPerSecond,
  silenceTimeout: 120 * nsPerSecond,
  totalTimeout: 600 * nsPerSecond,
};

/** A kept connection that was idle longer is not used: uvicorn and llama.cpp close after 5 s. */
const longestIdle: Ns = 4 * nsPerSecond;
/** How long an answered connection may stay open before the client closes it; the server is asked to. */
const longestClosing: Ns = nsPerSecond;

interface Link {
  readonly connection: number;
  readonly server: number;
  readonly request: Uint8Array;
  readonly exchange: Exchange;
  /** This request is not the connection's first. */
  readonly reused: boolean;
  due: Ns;
  started: Ns;
  connected: boolean;
  heard: Ns;
}

/**
 * Sends requests through a receiver and makes records of the answers. It knows no clock: `now` is given, and the stamps are
 * the receiver's. A failure on a kept connection before the first byte of the answer is the race of a server closing an idle
 * connection: the request is repeated once on a new one, counted, and its clock runs on.
 */
export class HttpClient {
  readonly records: RequestRecords = new RequestRecords();
  badUtf8Events = 0;
  bytesReceived = 0;
  #open = 0;
  readonly #receiver: Receiver;
  readonly #servers: readonly Address[];
  readonly #listener: ExchangeListener;
  readonly #options: ClientOptions;
  readonly #batch: RecordBatch;
  readonly #links = new Map<number, Link>();
  readonly #linkOfRow = new Map<number, Link>();
  /** Answered connections: until when they may stay. */
  readonly #closing = new Map<number, Ns>();
  /** Free connections by server, the most recent last. */
  readonly #kept: { readonly connection: number; readonly since: Ns }[][];
  #nextConnection = 1;

  constructor(
    receiver: Receiver,
    servers: readonly Address[],
    listener: ExchangeListener,
    options: ClientOptions = clientDefaults,
    batch: RecordBatch = recordBatch(),
  ) {
    this.#receiver = receiver;
    this.#servers = servers;
    this.#options = options;
    this.#batch = batch;
    this.#kept = servers.map(() => []);
    this.#listener = {
      tokens: (row, time, count, written) => listener.tokens(row, time, count, written),
      over: (row) => {
        this.#open--;
        this.#linkOfRow.delete(row);
        listener.over(row);
      },
    };
  }

  /** Requests that are submitted and not over. */
  get inFlight(): number {
    return this.#open;
  }

  /** Hands over one request, a whole HTTP/1.1 message, to be sent at `due`; the answer is its row in `records`. */
  submit(server: number, request: Uint8Array, due: Ns, now: Ns): number {
    const row = this.records.add(due, server);
    const exchange = new Exchange(row, this.records, this.#listener);
    this.#open++;
    const kept = this.#options.reuse ? this.#keptFor(server, Math.max(due, now)) : undefined;
    this.#start(kept ?? this.#nextConnection++, server, request, exchange, kept !== undefined, due);
    return row;
  }

  /** Gives a request up: its connection is closed, and servers stop generating. */
  withdraw(row: number, now: Ns): void {
    const link = this.#linkOfRow.get(row);
    if (link === undefined) return;
    this.#receiver.drop(link.connection);
    this.#links.delete(link.connection);
    link.exchange.withdraw(now);
  }

  /** Takes what the receiver has; true when something came. */
  poll(): boolean {
    let any = false;
    for (;;) {
      const rows = this.#receiver.drain(this.#batch);
      if (rows !== 0) any = true;
      this.#take(Math.abs(rows));
      if (rows >= 0) return any;
    }
  }

  /** Looks for requests past their time; about once a second. */
  sweep(now: Ns): void {
    const { connectTimeout, silenceTimeout, totalTimeout } = this.#options;
    for (const [connection, until] of this.#closing) {
      if (now < until) continue;
      this.#closing.delete(connection);
      this.#receiver.drop(connection);
    }
    for (const free of this.#kept) {
      while (free.length > 0 && now - (free[0]?.since ?? now) > longestIdle) {
        const oldest = free.shift();
        if (oldest !== undefined) this.#receiver.drop(oldest.connection);
      }
    }
    for (const link of [...this.#links.values()]) {
      const { exchange } = link;
      if (exchange.over || Number.isNaN(link.started)) continue;
      const silent = now - Math.max(link.started, link.heard);
      if (!link.connected && now - link.started > connectTimeout)
        this.#giveUp(link, now, `no connection within ${seconds(connectTimeout)}`);
      else if (link.connected && silent > silenceTimeout)
        this.#giveUp(link, now, `the server was silent for ${seconds(silenceTimeout)}`);
      else if (now - link.due > totalTimeout)
        this.#giveUp(link, now, `not over within ${seconds(totalTimeout)}`);
    }
  }

  /** Ends everything that is still open. */
  withdrawAll(now: Ns): void {
    for (const link of [...this.#links.values()])
      if (!link.exchange.over) this.withdraw(link.exchange.row, now);
  }

  #keptFor(server: number, at: Ns): number | undefined {
    const free = this.#kept[server] ?? [];
    for (let last = free.pop(); last !== undefined; last = free.pop()) {
      if (at - last.since <= longestIdle) return last.connection;
      this.#receiver.drop(last.connection);
    }
    return undefined;
  }

  #start(
    connection: number,
    server: number,
    request: Uint8Array,
    exchange: Exchange,
    reused: boolean,
    due: Ns,
  ): void {
    const link: Link = {
      connection,
      server,
      request,
      exchange,
      reused,
      due,
      started: Number.NaN,
      connected: reused,
      heard: Number.NEGATIVE_INFINITY,
    };
    this.#links.set(connection, link);
    this.#linkOfRow.set(exchange.row, link);
    if (reused) this.#receiver.send(connection, request, due);
    else {
      const address = this.#servers[server];
      if (address === undefined) throw new RangeError(`server ${server} of ${this.#servers.length}`);
      this.#receiver.connect(connection, address, request, due);
    }
  }

  #take(count: number): void {
    const { rows, bytes } = this.#batch;
    let offset = 0;
    for (let at = 0; at < count * rowWidth; at += rowWidth) {
      const kind = rows[at] ?? 0;
      const connection = rows[at + 1] ?? 0;
      const time = rows[at + 2] ?? 0;
      const length = rows[at + 4] ?? 0;
      const from = offset;
      offset += length;
      const link = this.#links.get(connection);
      if (link === undefined) {
        if (kind === recordKinds.ended || kind === recordKinds.failed) this.#forget(connection);
        continue;
      }
      this.#handle(link, kind, time, rows[at + 3] ?? 0, bytes, from, offset);
    }
    this.bytesReceived += offset;
  }

  #handle(
    link: Link,
    kind: number,
    time: Ns,
    errno: number,
    bytes: Uint8Array,
    from: number,
    to: number,
  ): void {
    const { exchange } = link;
    const { row } = exchange;
    switch (kind) {
      case recordKinds.started:
        link.started = time;
        // A repeated request keeps the time of its first attempt.
        if (Number.isNaN(this.records.started[row] ?? 0)) this.records.started[row] = time;
        if (link.reused) this.records.connected[row] = time;
        return;
      case recordKinds.connected:
        link.connected = true;
        this.records.connected[row] = time;
        return;
      case recordKinds.sent:
        this.records.sent[row] = time;
        return;
      case recordKinds.kernelBytes:
      case recordKinds.clockBytes: {
        link.heard = time;
        const wasOver = exchange.over;
        exchange.push(time, bytes, from, to);
        if (exchange.over) this.#answered(link, time, wasOver);
        return;
      }
      default:
        this.#connectionOver(link, kind === recordKinds.ended, time, errno);
    }
  }

  #answered(link: Link, time: Ns, wasOver: boolean): void {
    const { connection, exchange } = link;
    if (!wasOver) {
      this.badUtf8Events += exchange.badUtf8Events;
      if (this.records.outcomeOf(exchange.row) === 'failed') {
        this.#links.delete(connection);
        this.#receiver.drop(connection);
        return;
      }
      this.#closing.set(connection, time + longestClosing);
    }
    if (!this.#options.reuse || !exchange.reusable) return;
    this.#links.delete(connection);
    this.#closing.delete(connection);
    this.#kept[link.server]?.push({ connection, since: time });
  }

  #connectionOver(link: Link, clean: boolean, time: Ns, errno: number): void {
    const { connection, exchange } = link;
    this.#forget(connection);
    if (exchange.over) return;
    if (link.reused && !exchange.answered) {
      const { row } = exchange;
      this.records.connectionRetries[row] = (this.records.connectionRetries[row] ?? 0) + 1;
      this.#start(this.#nextConnection++, link.server, link.request, exchange, false, link.due);
    } else if (clean) exchange.connectionEnded(time);
    else exchange.broke(time, describeErrno(errno, link.connected));
    this.badUtf8Events += exchange.badUtf8Events;
  }

  #forget(connection: number): void {
    this.#links.delete(connection);
    this.#closing.delete(connection);
    for (const free of this.#kept) {
      const at = free.findIndex((kept) => kept.connection === connection);
      if (at !== -1) free.splice(at, 1);
    }
  }

  #giveUp(link: Link, now: Ns, why: string): void {
    this.#receiver.drop(link.connection);
    this.#links.delete(link.connection);
    link.exchange.broke(now, why);
  }
}

const seconds = (ns: Ns): string => `${Number((ns / nsPerSecond).toPrecision(2))} s`;

function describeErrno(errno: number, connected: boolean): string {
  const name = errnoNames[errno] ?? `errno ${errno}`;
  switch (name) {
    case 'ECONNREFUSED':
      return 'connection refused (ECONNREFUSED): nothing listens there';
    case 'ECONNRESET':
    case 'EPIPE':
      return `the server reset the connection (${name})`;
    case 'EADDRNOTAVAIL':
      return 'no free local port (EADDRNOTAVAIL): too many short connections; try --reuse-connections';
    case 'EMFILE':
      return 'too many open files (EMFILE): raise ulimit -n';
    case 'CERTIFICATE':
      return 'the certificate of the server is not trusted (NODE_EXTRA_CA_CERTS=FILE adds one)';
    case 'CERTIFICATE_NAME':
      return 'the certificate of the server is for another name';
    case 'CERTIFICATE_EXPIRED':
      return 'the certificate of the server has expired';
    case 'TLS':
      return 'the TLS handshake failed: is this an https port?';
    default:
      return connected ? `the connection broke (${name})` : `no connection (${name})`;
  }
}
