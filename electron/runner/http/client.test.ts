import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import { nativeFolder } from '../../../native/index.ts';
import {
  type ClientOptions,
  clientDefaults,
  HttpClient,
} from '../../../workloads/engines/http/httpClient.ts';
import { requestBytes } from '../../../workloads/engines/http/requestBytes.ts';
import { openReceiver } from './openReceiver.ts';

const hasAddon = existsSync(
  join(nativeFolder(new URL('../../../native/index.ts', import.meta.url).href), 'dyno.node'),
);
const cleanUps: (() => void)[] = [];
afterEach(() => {
  for (const clean of cleanUps.splice(0)) clean();
});

type Behaviour = (socket: Socket, request: string, nth: number) => void;

/** A server on loopback; `serve` gets each whole request and its number on that connection. */
async function listening(
  serve: Behaviour,
  make: (serve: (socket: Socket) => void) => Server = (each) => createServer(each),
): Promise<{ port: number; server: Server; connections: () => number }> {
  let connections = 0;
  const server = make((socket) => {
    connections++;
    let held = '';
    let nth = 0;
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => {
      held += bytes.toString('latin1');
      for (;;) {
        const head = held.indexOf('\r\n\r\n');
        const length = Number(/content-length: (\d+)/.exec(held)?.[1] ?? 0);
        if (head === -1 || held.length < head + 4 + length) return;
        const request = held.slice(0, head + 4 + length);
        held = held.slice(head + 4 + length);
        serve(socket, request, nth++);
      }
    });
  });
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanUps.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    server,
    connections: () => connections,
  };
}

const head = 'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n';
const chunk = (text: string): string => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
const token = (n: number): string => chunk(`data: {"choices":[{"text":" w${n}","finish_reason":null}]}\n\n`);
const ending = `${chunk('data: {"choices":[{"text":"","finish_reason":"length"}],"usage":{"prompt_tokens":4,"completion_tokens":3}}\n\n')}${chunk('data: [DONE]\n\n')}0\r\n\r\n`;
const whole = head + token(0) + token(1) + token(2) + ending;

type Kind = 'native' | 'javascript';
const kinds: readonly Kind[] = hasAddon ? ['native', 'javascript'] : ['javascript'];

function open(kind: Kind, port: number, options: Partial<ClientOptions> = {}, tls = false) {
  const origin = process.hrtime.bigint();
  const now = (): number => Number(process.hrtime.bigint() - origin);
  let poll: () => void = () => undefined;
  const { receiver } = openReceiver(import.meta.url, {
    origin,
    wake: () => poll(),
    tls,
    force: kind,
    threads: 2,
  });
  const counted = new Map<number, number>();
  const client = new HttpClient(
    receiver,
    [{ host: '127.0.0.1', port, ...(tls ? { tlsName: 'localhost' } : {}) }],
    { tokens: (row, _, count) => counted.set(row, (counted.get(row) ?? 0) + count), over: () => undefined },
    { ...clientDefaults, ...options },
  );
  poll = () => void client.poll();
  const sweeps = setInterval(() => client.sweep(now()), 20);
  cleanUps.push(() => {
    clearInterval(sweeps);
    receiver.close();
  });
  const submit = (due = 0) =>
    client.submit(
      0,
      requestBytes({ path: '/v1/completions', host: 'x', keepAlive: options.reuse ?? false }, '{"a":1}'),
      due,
      now(),
    );
  const idle = () => expect.poll(() => client.inFlight, { timeout: 10_000 }).toBe(0);
  /** One request to its end. */
  const one = async () => {
    const row = submit();
    await idle();
    const { records } = client;
    return {
      outcome: records.outcomeOf(row),
      tokens: records.tokens[row],
      failure: records.notes.get(row)?.failure,
      notes: records.notes.get(row),
    };
  };
  return { client, submit, idle, one, now, counted };
}

describe.each(kinds)('%s receiver', (kind) => {
  it('tells a whole answer with its times in order', async () => {
    const { port } = await listening((socket) => socket.write(whole));
    const { client, submit, idle, now, counted } = open(kind, port);
    const due = now() + 20e6;
    const row = submit(due);
    await idle();
    const r = client.records;
    expect(r.outcomeOf(row)).toBe('ok');
    expect(counted.get(row)).toBe(3);
    expect([r.tokens[row], r.promptTokens[row], r.completionTokens[row]]).toEqual([3, 4, 3]);
    const order = [r.due, r.started, r.connected, r.firstToken, r.lastToken].map(
      (column) => column[row] ?? Number.NaN,
    );
    expect(order).toEqual([...order].sort((a, b) => a - b));
    expect(r.sent[row]).toBeGreaterThanOrEqual(r.connected[row] ?? 0);
  });

  it('loses and doubles no token over many streams', async () => {
    const { port } = await listening((socket) => {
      socket.write(head);
      let n = 0;
      const timer = setInterval(() => {
        socket.write(token(n));
        if (++n < 20) return;
        clearInterval(timer);
        socket.end(ending);
      }, 1);
    });
    const { client, submit, idle } = open(kind, port);
    for (let i = 0; i < 200; i++) submit();
    await idle();
    const { records } = client;
    for (let row = 0; row < 200; row++)
      expect([records.outcomeOf(row), records.tokens[row]]).toEqual(['ok', 20]);
  });

  it.each<[string, Behaviour, RegExp, number]>([
    [
      'a reset',
      (s) => {
        s.write(head + token(0));
        setTimeout(() => s.resetAndDestroy(), 30);
      },
      /^the server reset the connection \(ECONNRESET\) after 1 tokens$/,
      1,
    ],
    [
      'a killed server',
      (s) => {
        s.write(head + token(0));
        setTimeout(() => s.destroy(), 30);
      },
      /^truncated: the connection closed inside the answer after 1 tokens$/,
      1,
    ],
    ['a close without an answer', (s) => s.end(), /^the server closed the connection without an answer$/, 0],
    [
      'wrong JSON',
      (s) => s.write(head + token(0) + chunk('data: {"choices"\n\n')),
      /^wrong JSON in an event/,
      1,
    ],
    [
      '401',
      (s) =>
        s.end('HTTP/1.1 401 Unauthorized\r\ncontent-length: 22\r\n\r\n{"error":"no such key"}'.slice(0, -1)),
      /^status 401.*--api-key-env$/,
      0,
    ],
    [
      'a redirect',
      (s) => s.end('HTTP/1.1 302 Found\r\nlocation: http://else/\r\ncontent-length: 0\r\n\r\n'),
      /^status 302: redirects are refused/,
      0,
    ],
    [
      'an endless event',
      (s) => {
        s.write(head);
        const more = () => {
          if (!s.destroyed) s.write(chunk('x'.repeat(1 << 20)), more);
        };
        s.write(chunk('data: "'));
        more();
      },
      /^an event of more than 16 MiB without an end$/,
      0,
    ],
  ])('%s: one clear line, the tokens are kept', async (_, serve, failure, tokens) => {
    const { port } = await listening(serve);
    const got = await open(kind, port).one();
    expect(got.failure).toMatch(failure);
    expect([got.outcome, got.tokens]).toEqual(['failed', tokens]);
  });

  it('an event of 10 MB is read, bad UTF-8 is counted', async () => {
    const big = Buffer.from(
      chunk(`data: {"choices":[{"text":"${'y'.repeat(10e6)}","finish_reason":null}]}\n\n`),
    );
    const bad = Buffer.concat([
      Buffer.from('data: {"choices":[{"text":"'),
      Buffer.from([0xff]),
      Buffer.from('"}]}\n\n'),
    ]);
    const { port } = await listening((socket) => {
      socket.write(head);
      socket.write(big);
      socket.write(Buffer.concat([Buffer.from(`${bad.length.toString(16)}\r\n`), bad, Buffer.from('\r\n')]));
      socket.end(ending);
    });
    const { client, one } = open(kind, port);
    expect(await one()).toMatchObject({ outcome: 'ok', tokens: 2 });
    expect(client.badUtf8Events).toBe(1);
  });

  it('a silent and a slow server run into their deadlines', async () => {
    const { port } = await listening((socket) => socket.write(head + token(0)));
    const hung = await open(kind, port, { silenceTimeout: 600e6 }).one();
    expect(hung).toMatchObject({ outcome: 'failed', tokens: 1 });
    expect(hung.failure).toMatch(/^the server was silent for 0\.6 s after 1 tokens$/);
    const slow = await open(kind, port, { totalTimeout: 600e6 }).one();
    expect(slow.failure).toMatch(/^not over within 0\.6 s/);
  });

  it('a port without a server', async () => {
    const { port, server } = await listening(() => undefined);
    await new Promise((resolve) => server.close(resolve));
    expect((await open(kind, port).one()).failure).toMatch(/^connection refused \(ECONNREFUSED\)/);
  });

  it('429 is rejected and tells when to come back', async () => {
    const { port } = await listening((s) =>
      s.end('HTTP/1.1 429 Too Many\r\nRetry-After: 2\r\ncontent-length: 0\r\n\r\n'),
    );
    expect(await open(kind, port).one()).toMatchObject({ outcome: 'rejected', notes: { retryAfter: 2 } });
  });

  it('reuse: one connection for all; a close between requests is repeated once and counted', async () => {
    let closes = false;
    const { port, connections } = await listening((socket, _, nth) => {
      // Closes instead of answering the second request, as a server does whose idle time ran out.
      if (closes && nth > 0) socket.destroy();
      else socket.write(whole);
    });
    const { client, one } = open(kind, port, { reuse: true });
    for (let i = 0; i < 5; i++) expect((await one()).outcome).toBe('ok');
    expect(connections()).toBe(1);
    closes = true;
    expect((await one()).outcome).toBe('ok');
    expect([connections(), client.records.connectionRetries[5]]).toEqual([2, 1]);
  });

  it('a withdrawn request closes its connection', async () => {
    let closed = 0;
    const { port } = await listening((socket) => {
      socket.write(head + token(0));
      socket.on('close', () => closed++);
    });
    const { client, submit, now, counted } = open(kind, port);
    const row = submit();
    await expect.poll(() => counted.get(row)).toBe(1);
    client.withdraw(row, now());
    expect(client.records.outcomeOf(row)).toBe('withdrawn');
    await expect.poll(() => closed).toBe(1);
  });
});

const hasOpenssl = spawnSync('openssl', ['version']).status === 0;
it.skipIf(!hasOpenssl)(
  'https: a certificate that is not trusted is one clear line; a port without TLS too',
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'dyno-tls-'));
    cleanUps.push(() => rmSync(folder, { recursive: true }));
    const files = { key: join(folder, 'key.pem'), cert: join(folder, 'cert.pem') };
    spawnSync('openssl', [
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-days',
      '1',
      '-subj',
      '/CN=localhost',
      '-keyout',
      files.key,
      '-out',
      files.cert,
    ]);
    const secure = { key: readFileSync(files.key), cert: readFileSync(files.cert) };
    const { port } = await listening(
      (s) => s.write(whole),
      (serve) => createTlsServer(secure, serve),
    );
    expect((await open('javascript', port, {}, true).one()).failure).toMatch(
      /certificate of the server is not trusted/,
    );
    const plain = await listening((s) => s.write(whole));
    plain.server.on('connection', (socket: Socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    expect((await open('javascript', plain.port, {}, true).one()).failure).toMatch(/TLS handshake failed/);
  },
);
