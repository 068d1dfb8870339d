// HTTP/1.1 over a plain socket, so that every byte on the wire is ours: where a write ends, when headers go, whether the
// connection is closed politely, late, or by a reset. One request at a time per connection.
import type { Socket } from 'node:net';

export interface HttpRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
  readonly receivedMs: number;
  /** Requests that came on this connection before. */
  readonly earlierOnConnection: number;
}

export interface ConnectionRules {
  /** An idle connection is closed after so many ms, as uvicorn and llama.cpp do after 5,000. */
  readonly idleCloseMs: number;
  /** The connection closes after so many answers; llama.cpp: 100. */
  readonly maxRequests: number;
  /** The socket closes after every stream although the headers promised keep-alive, as llama.cpp's does. */
  readonly closeAfterStream: boolean;
  /** Writes are cut after so many bytes, with a pause in between; 0: never. */
  readonly splitBytes: number;
  readonly splitPauseMs: number;
}

/** The answer to one request. After `end` or `reset` nothing more can be written. */
export class Reply {
  private readonly socket: Socket;
  private readonly rules: ConnectionRules;
  private readonly finished: (keepOpen: boolean) => void;
  private writes: Promise<void> = Promise.resolve();
  private isOver = false;
  private isChunked = false;
  private readonly lastOfConnection: boolean;
  /** Called once when the client goes away before the end. */
  onAbort: (() => void) | undefined;

  constructor(
    socket: Socket,
    rules: ConnectionRules,
    lastOfConnection: boolean,
    finished: (keepOpen: boolean) => void,
  ) {
    this.socket = socket;
    this.rules = rules;
    this.lastOfConnection = lastOfConnection;
    this.finished = finished;
  }

  get over(): boolean {
    return this.isOver;
  }

  /** A whole answer with a body of known length. */
  plain(status: number, type: string, body: string, headers: Readonly<Record<string, string>> = {}): void {
    const bytes = Buffer.from(body);
    this.send(
      Buffer.concat([
        this.head(status, { 'content-type': type, 'content-length': String(bytes.length), ...headers }),
        bytes,
      ]),
    );
    this.close(!this.lastOfConnection);
  }

  json(status: number, value: unknown, headers: Readonly<Record<string, string>> = {}): void {
    this.plain(status, 'application/json', JSON.stringify(value), headers);
  }

  /** Sends the headers of a stream. */
  openStream(type: string, headers: Readonly<Record<string, string>> = {}): void {
    this.isChunked = true;
    this.send(this.head(200, { 'content-type': type, 'transfer-encoding': 'chunked', ...headers }));
  }

  /** One HTTP chunk. */
  chunk(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.send(Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')]));
  }

  /** A clean end of a stream. */
  end(): void {
    if (this.isChunked) this.send(Buffer.from('0\r\n\r\n'));
    this.close(!this.lastOfConnection && !this.rules.closeAfterStream);
  }

  /** The socket closes in the middle of the stream: no last chunk. */
  cut(): void {
    this.close(false);
  }

  /** TCP reset, a moment after the last bytes: where both arrive together, a client's kernel may report a plain end. */
  reset(): void {
    if (this.isOver) return;
    this.isOver = true;
    void this.writes.then(() => setTimeout(() => this.socket.resetAndDestroy(), 20));
  }

  aborted(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.onAbort?.();
  }

  private head(status: number, headers: Readonly<Record<string, string>>): Buffer {
    const keeps = this.lastOfConnection
      ? { connection: 'close' }
      : { connection: 'keep-alive', 'keep-alive': `timeout=${Math.round(this.rules.idleCloseMs / 1000)}` };
    const lines = Object.entries({ ...keeps, ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
    return Buffer.from(`HTTP/1.1 ${status} ${reasons[status] ?? 'Other'}\r\n${lines.join('')}\r\n`);
  }

  private send(bytes: Buffer): void {
    if (this.isOver) return;
    const { splitBytes, splitPauseMs } = this.rules;
    if (splitBytes === 0) {
      if (!this.socket.destroyed) this.socket.write(bytes);
      return;
    }
    this.writes = this.writes.then(async () => {
      for (let from = 0; from < bytes.length && !this.socket.destroyed; from += splitBytes) {
        this.socket.write(bytes.subarray(from, from + splitBytes));
        await new Promise((done) => (splitPauseMs > 0 ? setTimeout(done, splitPauseMs) : setImmediate(done)));
      }
    });
  }

  private close(keepOpen: boolean): void {
    if (this.isOver) return;
    this.isOver = true;
    void this.writes.then(() => {
      if (!keepOpen) this.socket.end();
      this.finished(keepOpen);
    });
  }
}

const reasons: Readonly<Record<number, string>> = {
  200: 'OK',
  302: 'Found',
  307: 'Temporary Redirect',
  400: 'Bad Request',
  401: 'Unauthorized',
  404: 'Not Found',
  408: 'Request Timeout',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
};

/** Reads requests off a socket and hands each to `answer`. */
export function serveConnection(
  socket: Socket,
  rules: ConnectionRules,
  nowMs: () => number,
  answer: (request: HttpRequest, reply: Reply) => void,
): void {
  let received: Buffer = Buffer.alloc(0);
  let count = 0;
  let current: Reply | undefined;
  socket.setNoDelay(true);
  socket.on('error', () => socket.destroy());
  const idle = () => {
    socket.setTimeout(rules.idleCloseMs, () => {
      if (current === undefined) socket.end();
    });
  };
  const next = () => {
    if (current !== undefined) return;
    const parsed = parseRequest(received, count, nowMs);
    if (parsed === undefined) return;
    received = received.subarray(parsed.length);
    count += 1;
    socket.setTimeout(0);
    const reply = new Reply(socket, rules, count >= rules.maxRequests, (keepOpen) => {
      current = undefined;
      if (!keepOpen) return;
      idle();
      next();
    });
    current = reply;
    answer(parsed.request, reply);
  };
  socket.on('data', (bytes: Buffer) => {
    received = received.length === 0 ? bytes : Buffer.concat([received, bytes]);
    next();
  });
  // A client that half-closes after its request does not read the answer either: as real servers, we stop generating.
  socket.on('end', () => socket.end());
  socket.on('close', () => {
    current?.aborted();
    current = undefined;
  });
  idle();
}

function parseRequest(
  bytes: Buffer,
  earlierOnConnection: number,
  nowMs: () => number,
): { readonly request: HttpRequest; readonly length: number } | undefined {
  const headEnd = bytes.indexOf('\r\n\r\n');
  if (headEnd < 0) return undefined;
  const [first = '', ...lines] = bytes.toString('latin1', 0, headEnd).split('\r\n');
  const [method = 'GET', target = '/'] = first.split(' ');
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(':');
    headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
  }
  const bodyStart = headEnd + 4;
  const body =
    headers.get('transfer-encoding') === 'chunked'
      ? chunkedBody(bytes, bodyStart)
      : plainBody(bytes, bodyStart, Number(headers.get('content-length') ?? 0));
  if (body === undefined) return undefined;
  const url = new URL(target, 'http://scripted');
  const request = {
    ...{ method, path: url.pathname, query: url.searchParams, headers, body: body.text },
    ...{ receivedMs: nowMs(), earlierOnConnection },
  };
  return { request, length: body.end };
}

type Body = { readonly text: string; readonly end: number };

function plainBody(bytes: Buffer, start: number, length: number): Body | undefined {
  const end = start + length;
  return bytes.length < end ? undefined : { text: bytes.toString('utf8', start, end), end };
}

function chunkedBody(bytes: Buffer, start: number): Body | undefined {
  const parts: Buffer[] = [];
  for (let at = start; ; ) {
    const lineEnd = bytes.indexOf('\r\n', at);
    if (lineEnd < 0) return undefined;
    const size = Number.parseInt(bytes.toString('latin1', at, lineEnd), 16);
    const dataEnd = lineEnd + 2 + size;
    if (bytes.length < dataEnd + 2) return undefined;
    if (size === 0) return { text: Buffer.concat(parts).toString('utf8'), end: dataEnd + 2 };
    parts.push(bytes.subarray(lineEnd + 2, dataEnd));
    at = dataEnd + 2;
  }
}
