import { timingSafeEqual } from 'node:crypto';
import {
  createServer,
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { request as httpsRequest } from 'node:https';
import type {
  LiveDecision,
  LiveFlight,
  LiveRouter,
} from '../../../workloads/engines/http/servers/liveRouter.ts';
import { connectionReason } from '../servers/shortRequest.ts';
import { AnswerWatch, type SeenAnswer } from './answerWatch.ts';
import { type AskedRequest, askedRequest } from './askedRequest.ts';

/** One request as it passed; times are ms since the proxy started. */
export interface RoutedRequest {
  readonly index: number;
  readonly asked: AskedRequest;
  readonly decision: LiveDecision | undefined;
  readonly arrivedMs: number;
  readonly sentMs: number | undefined;
  readonly headersMs: number | undefined;
  readonly endedMs: number;
  readonly outcome: 'completed' | 'failed' | 'rejected';
  readonly reason: string | undefined;
  readonly httpStatus: number | undefined;
  readonly retryAfterMs: number | undefined;
  readonly seen: SeenAnswer | undefined;
  /** Servers that refused the connection before this one took it. */
  readonly rerouted: number;
}

export interface ProxyOptions {
  readonly host: string;
  readonly port: number;
  /** In `Authorization: Bearer …` or `X-Dyno-Token`; undefined: none is asked for. */
  readonly token: string | undefined;
  readonly router: LiveRouter;
  /** API key of a server. */
  readonly keyOf: (server: number) => string | undefined;
  readonly nowMs: () => number;
  readonly onRequest: (request: RoutedRequest) => void;
  readonly onServerDown: (server: number, reason: string) => void;
}

/** Bodies larger than this are refused. */
const largestBody = 64 * 2 ** 20;
const generations = ['/v1/completions', '/v1/chat/completions', '/generate'];
/** Headers that belong to one connection and are not passed on. */
const hopHeaders = new Set([
  ...['connection', 'keep-alive', 'transfer-encoding', 'te', 'trailer', 'upgrade', 'proxy-connection'],
  ...['host', 'content-length', 'authorization', 'x-dyno-token', 'expect'],
]);

export interface RunningProxy {
  readonly url: string;
  close(): Promise<void>;
}

export async function startProxy(options: ProxyOptions): Promise<RunningProxy> {
  let count = 0;
  const server: Server = createServer((call, answer) => {
    answer.on('error', () => answer.destroy());
    if (!isAllowed(options.token, call.headers)) {
      refuse(answer, 401, 'the token is missing or wrong: send it as Authorization: Bearer TOKEN');
      return;
    }
    const path = (call.url ?? '/').split('?')[0] ?? '/';
    if (call.method === 'GET') void plain(options, path, answer);
    else if (call.method === 'POST' && generations.includes(path)) {
      const index = count++;
      void generate(options, index, path, call, answer).catch((thrown: unknown) => {
        refuse(answer, 500, thrown instanceof Error ? thrown.message : String(thrown));
      });
    } else refuse(answer, 404, `${call.method} ${path}: not routed, expected POST ${generations.join(', ')}`);
  });
  // A long prefill is no error: only headers have a deadline.
  server.requestTimeout = 0;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, 1024, resolve);
  });
  const address = server.address();
  const port = address !== null && typeof address === 'object' ? address.port : options.port;
  const host = options.host.includes(':') ? `[${options.host}]` : options.host;
  return {
    url: `http://${host}:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function isAllowed(token: string | undefined, headers: IncomingHttpHeaders): boolean {
  if (token === undefined) return true;
  const own = headers['x-dyno-token'];
  const given = typeof own === 'string' ? own : (headers.authorization ?? '').replace(/^Bearer /i, '');
  const [a, b] = [Buffer.from(given), Buffer.from(token)];
  return a.length === b.length && timingSafeEqual(a, b);
}

function refuse(answer: ServerResponse, status: number, message: string): void {
  if (answer.headersSent || answer.destroyed) {
    answer.destroy();
    return;
  }
  answer.writeHead(status, { 'content-type': 'application/json' });
  answer.end(JSON.stringify({ error: { message, type: 'dyno_route', code: status } }));
}

/** Everything that is no generation: health is ours, models are those of the first server that takes requests. */
async function plain(options: ProxyOptions, path: string, answer: ServerResponse): Promise<void> {
  const { router } = options;
  const server = router.servers.findIndex((_, i) => router.takes(i));
  if (path === '/health') {
    answer.writeHead(server < 0 ? 503 : 200, { 'content-type': 'application/json' });
    answer.end(JSON.stringify({ status: server < 0 ? 'no server takes requests' : 'ok' }));
    return;
  }
  if (path !== '/v1/models' || server < 0) {
    refuse(answer, server < 0 ? 503 : 404, server < 0 ? 'no server takes requests' : `${path}: not routed`);
    return;
  }
  const upstream = open(options, server, 'GET', path, {}, (response) => {
    answer.writeHead(response.statusCode ?? 502, { 'content-type': 'application/json' });
    response.pipe(answer);
  });
  upstream.on('error', (error) => refuse(answer, 502, connectionReason(error)));
  upstream.end();
}

function open(
  { router, keyOf }: ProxyOptions,
  server: number,
  method: string,
  path: string,
  headers: Readonly<Record<string, string | string[] | number>>,
  onResponse: (response: IncomingMessage) => void,
) {
  const url = `${router.servers[server]?.url ?? ''}${path}`;
  const key = keyOf(server);
  const send = url.startsWith('https:') ? httpsRequest : httpRequest;
  return send(
    url,
    {
      ...{ method, agent: false },
      headers: { ...headers, ...(key === undefined ? {} : { authorization: `Bearer ${key}` }) },
    },
    onResponse,
  );
}

function bodyOf(call: IncomingMessage): Promise<Buffer | undefined> {
  const parts: Buffer[] = [];
  let length = 0;
  return new Promise((resolve, reject) => {
    call.on('data', (part: Buffer) => {
      length += part.length;
      if (length <= largestBody) parts.push(part);
    });
    call.on('end', () => resolve(length > largestBody ? undefined : Buffer.concat(parts)));
    call.on('error', reject);
  });
}

async function generate(
  options: ProxyOptions,
  index: number,
  path: string,
  call: IncomingMessage,
  answer: ServerResponse,
): Promise<void> {
  const body = await bodyOf(call);
  if (body === undefined) {
    refuse(answer, 413, `a body of more than ${largestBody / 2 ** 20} MiB`);
    return;
  }
  const asked = askedRequest(path, body.toString('utf8'), call.headers);
  if (asked === undefined) {
    refuse(answer, 400, 'the body is no JSON object with a prompt');
    return;
  }
  new Passage(options, index, path, asked, body, call, answer).begin();
}

/** One request on its way to a server and back. */
class Passage {
  private readonly options: ProxyOptions;
  private readonly index: number;
  private readonly path: string;
  private readonly asked: AskedRequest;
  private readonly body: Buffer;
  private readonly call: IncomingMessage;
  private readonly answer: ServerResponse;
  private readonly arrivedMs: number;
  private decision: LiveDecision | undefined;
  private flight: LiveFlight | undefined;
  private sentMs: number | undefined;
  private headersMs: number | undefined;
  private httpStatus: number | undefined;
  private retryAfterMs: number | undefined;
  private rerouted = 0;
  private isOver = false;

  constructor(
    options: ProxyOptions,
    index: number,
    path: string,
    asked: AskedRequest,
    body: Buffer,
    call: IncomingMessage,
    answer: ServerResponse,
  ) {
    this.options = options;
    this.index = index;
    this.path = path;
    this.asked = asked;
    this.body = body;
    this.call = call;
    this.answer = answer;
    this.arrivedMs = options.nowMs();
  }

  begin(): void {
    const { router, nowMs } = this.options;
    const decision = router.route(this.asked, nowMs());
    if (decision === undefined) {
      refuse(this.answer, 503, 'no server takes requests');
      this.over('rejected', 'no server takes requests', undefined);
      return;
    }
    this.decision = decision;
    this.flight = router.sent(this.asked, decision, this.arrivedMs);
    this.sentMs = nowMs();
    const headers: Record<string, string | string[] | number> = { 'content-length': this.body.length };
    for (const [name, value] of Object.entries(this.call.headers))
      if (value !== undefined && !hopHeaders.has(name)) headers[name] = value;
    headers['x-request-id'] ??= `dyno-${this.index}`;
    const upstream = open(this.options, decision.server, 'POST', this.path, headers, (response) =>
      this.pass(response),
    );
    upstream.on('error', (error) => this.broken(error));
    // The client went away: the server must stop generating.
    this.answer.on('close', () => {
      if (this.isOver) return;
      this.over('failed', 'the client closed the connection', undefined);
      upstream.destroy();
    });
    upstream.end(this.body);
  }

  private pass(response: IncomingMessage): void {
    const { nowMs, router } = this.options;
    const { answer, asked, flight } = this;
    this.headersMs = nowMs();
    const status = response.statusCode ?? 502;
    this.httpStatus = status;
    this.retryAfterMs = retryAfter(response.headers['retry-after']);
    const headers: Record<string, string | string[]> = {};
    for (const [name, value] of Object.entries(response.headers))
      if (value !== undefined && !hopHeaders.has(name)) headers[name] = value;
    headers['x-dyno-server'] = router.servers[this.decision?.server ?? 0]?.name ?? '';
    answer.writeHead(status, headers);
    answer.flushHeaders();
    const isStream = asked.stream && status === 200;
    const watch = new AnswerWatch(isStream, (at) => {
      if (flight !== undefined) router.firstToken(flight, at);
    });
    response.on('data', (bytes: Buffer) => {
      watch.push(bytes, nowMs());
      if (!answer.write(bytes)) {
        response.pause();
        answer.once('drain', () => response.resume());
      }
    });
    response.on('end', () => {
      answer.end();
      const seen = watch.end(nowMs());
      if (status === 429 || status === 503) this.over('rejected', seen.error ?? `status ${status}`, seen);
      else if (status !== 200) this.over('failed', seen.error ?? `status ${status}`, seen);
      else if (seen.error !== undefined) this.over('failed', seen.error, seen);
      else if (seen.finishReason === undefined) this.over('failed', 'it ended without a finish reason', seen);
      else this.over('completed', undefined, seen);
    });
    response.on('error', (error) => {
      this.over('failed', connectionReason(error), watch.end(nowMs()));
      answer.destroy();
    });
    response.on('aborted', () => {
      this.over('failed', 'the server broke the connection', watch.end(nowMs()));
      answer.destroy();
    });
  }

  /** No answer came. A refused connection took nothing: the request goes to another server, and that is counted. */
  private broken(error: Error): void {
    if (this.isOver || this.headersMs !== undefined) return;
    const { router, onServerDown } = this.options;
    const reason = connectionReason(error);
    const server = this.decision?.server ?? 0;
    if (this.flight !== undefined) router.failed(this.flight);
    this.flight = undefined;
    const wasRefused = 'code' in error && error.code === 'ECONNREFUSED';
    if (wasRefused) {
      router.setTakes(server, false);
      onServerDown(server, reason);
      if (this.rerouted < router.servers.length && router.servers.some((_, i) => router.takes(i))) {
        this.rerouted += 1;
        this.answer.removeAllListeners('close');
        this.begin();
        return;
      }
    }
    refuse(this.answer, 502, `${router.servers[server]?.name ?? 'server'}: ${reason}`);
    this.over('failed', reason, undefined);
  }

  private over(
    outcome: RoutedRequest['outcome'],
    reason: string | undefined,
    seen: SeenAnswer | undefined,
  ): void {
    if (this.isOver) return;
    this.isOver = true;
    const { router, nowMs, onRequest } = this.options;
    const { flight } = this;
    if (flight !== undefined && outcome === 'completed' && seen !== undefined)
      router.ended(flight, {
        outputTokens: seen.outputTokens,
        decodeMs: (seen.lastTokenMs ?? Number.NaN) - (seen.firstTokenMs ?? Number.NaN),
        cached: seen.cachedTokens,
        promptTokens: seen.promptTokens,
      });
    else if (flight !== undefined) router.failed(flight);
    onRequest({
      ...{ index: this.index, asked: this.asked, decision: this.decision, arrivedMs: this.arrivedMs },
      ...{ sentMs: this.sentMs, headersMs: this.headersMs, endedMs: nowMs(), outcome, reason },
      ...{ httpStatus: this.httpStatus, retryAfterMs: this.retryAfterMs, seen, rerouted: this.rerouted },
    });
  }
}

/** Retry-After in ms: seconds, or a date. */
function retryAfter(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (/^\d+$/.test(value)) return Number(value) * 1000;
  const at = Date.parse(value);
  return Number.isNaN(at) ? undefined : Math.max(0, at - Date.now());
}
