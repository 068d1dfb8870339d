// An OpenAI-compatible server whose every byte is scripted: what the client must survive, and what no small real engine
// shows. It speaks vLLM's, SGLang's, llama.cpp's and OpenAI's dialects (http.md §1.4, §1.5, §2), publishes KV events, takes
// part in both prefill/decode hand-shakes, fails on demand, and takes the time that a cost model says.
//
//   const server = await startScriptedServer({ dialect: 'vllm', cost: { itlMs: 5 } });
//   … POST `${server.url}/v1/completions` …
//   expect(server.served[0]?.times.firstMs).toBeCloseTo(…);
//   await server.close();
import { createServer, type Socket } from 'node:net';
import { type CostModel, quickCost } from './costModel.ts';
import { DueTimers, nowMs } from './dueTimers.ts';
import { type Served, wholeAnswer } from './events.ts';
import { Generations, type JobTimes } from './generations.ts';
import { type ConnectionRules, type HttpRequest, type Reply, serveConnection } from './httpConnection.ts';
import { KvPublisher, type KvPublisherOptions } from './kvPublisher.ts';
import { type Counters, metricsText } from './metricsText.ts';
import { PairDesk } from './pairDesk.ts';
import { PrefixCache } from './prefixCache.ts';
import {
  type Ask,
  type Dialect,
  type Fault,
  type Framing,
  llamaConnections,
  plainFraming,
  uvicornConnections,
} from './script.ts';
import { StreamWriter } from './streamWriter.ts';

export interface ServerScript {
  readonly dialect: Dialect;
  readonly model: string;
  readonly port: number;
  readonly cost: Partial<CostModel>;
  readonly framing: Partial<Framing>;
  readonly connections: Partial<ConnectionRules>;
  /** What goes wrong with a request; undefined: nothing. */
  readonly fault: (ask: Ask) => Fault | undefined;
  readonly blockTokens: number;
  readonly kvBlocks: number;
  /** As with vLLM's --enable-prompt-tokens-details and SGLang's --enable-cache-report. */
  readonly reportsCached: boolean;
  /** As with vLLM's --enable-per-request-metrics. */
  readonly perRequestMetrics: boolean;
  /** /metrics answers 404 where false (SGLang and llama.cpp without --metrics). */
  readonly metrics: boolean;
  readonly kvEvents: Partial<KvPublisherOptions> | undefined;
  readonly apiKey: string | undefined;
  /** Prefill and decode servers that know each other share one. */
  readonly pair: PairDesk;
  /** /health answers 503 so long after the start, as while a model loads. */
  readonly loadingMs: number;
}

/** One request as the server saw it. */
export interface ServedRequest {
  readonly ask: Ask;
  readonly times: JobTimes;
  readonly cachedTokens: number;
  /** Planned time of each token, ms on the monotonic clock. */
  readonly tokenMs: number[];
  outcome: 'open' | 'done' | 'aborted' | 'fault';
}

export interface ScriptedServer {
  readonly url: string;
  readonly port: number;
  /** In order of arrival; requests that a fault answered at once are not among them. */
  readonly served: readonly ServedRequest[];
  readonly asks: readonly Ask[];
  readonly kv:
    | { readonly endpoint: string; readonly replay: string; readonly publisher: KvPublisher }
    | undefined;
  readonly cache: PrefixCache;
  readonly connections: () => number;
  counters(): Counters;
  /** Ends every connection at once, as a killed process does. */
  kill(): Promise<void>;
  close(): Promise<void>;
}

export async function startScriptedServer(script: Partial<ServerScript> = {}): Promise<ScriptedServer> {
  const dialect = script.dialect ?? 'vllm';
  const model = script.model ?? 'scripted';
  const timers = new DueTimers();
  const engine = new Generations({ ...quickCost, ...script.cost }, timers);
  const rules: ConnectionRules = {
    ...(dialect === 'llamacpp' ? llamaConnections : uvicornConnections),
    ...script.connections,
  };
  const framing: Framing = {
    ...plainFraming,
    ...(dialect === 'llamacpp' ? { headers: 'late' as const } : {}),
    ...script.framing,
  };
  const publisher =
    script.kvEvents === undefined
      ? undefined
      : new KvPublisher({
          ...{
            encoding: 'map',
            topic: '',
            bufferSteps: 10_000,
            lose: () => false,
            hashes: 'unsigned',
            rank: 0,
          },
          ...script.kvEvents,
        });
  const cache = new PrefixCache(script.blockTokens ?? 16, script.kvBlocks ?? 4096, (event) =>
    publisher?.publish([event]),
  );
  const served: ServedRequest[] = [];
  const asks: Ask[] = [];
  const totals = {
    promptTokens: 0,
    cachedTokens: 0,
    outputTokens: 0,
    finished: 0,
    ttftSumS: 0,
    ttftCount: 0,
  };
  const counters = (): Counters => ({
    ...totals,
    running: engine.running,
    waiting: engine.waiting,
    kvBlocksUsed: cache.used,
    kvBlocks: cache.capacityBlocks,
    blockTokens: cache.blockTokens,
  });
  const pair = script.pair ?? new PairDesk();
  const startedMs = nowMs();

  const generate = (ask: Ask, reply: Reply, fault: Fault | undefined): void => {
    const leg = pair.legOf(ask, dialect, script.port ?? 0);
    if (leg.kind === 'refused') {
      reply.json(400, errorBody(dialect, 400, leg.why));
      return;
    }
    if (engine.isFull) {
      reply.json(429, errorBody(dialect, 429, 'the queue is full'), { 'retry-after': '1' });
      return;
    }
    const salt = typeof ask.body['cache_salt'] === 'string' ? ask.body['cache_salt'] : '';
    const usesCache = ask.body['cache_prompt'] !== false;
    const cachedTokens = usesCache && ask.prompt.length > 0 ? cache.take(ask.prompt, salt) : 0;
    totals.promptTokens += ask.prompt.length;
    totals.cachedTokens += cachedTokens;
    const finish = ask.body['stop_now'] === true ? 'stop' : 'length';
    const tokenMs: number[] = [];
    const record: { current?: ServedRequest; writer?: StreamWriter; answer?: Served } = {};
    const { times, cancel } = engine.submit(
      {
        ...{ index: ask.index, promptTokens: ask.prompt.length, cachedTokens, outputTokens: ask.maxTokens },
        isTransferred: leg.kind === 'decode',
        ...(leg.kind === 'decode' && leg.ready !== undefined ? { waitsFor: leg.ready } : {}),
        onToken: (n, plannedMs) => {
          tokenMs.push(plannedMs);
          totals.outputTokens += 1;
          if (n === 0) {
            totals.ttftSumS += (plannedMs - ask.http.receivedMs) / 1000;
            totals.ttftCount += 1;
            if (leg.kind === 'prefill') leg.done();
          }
          record.writer?.token(n);
          if (n + 1 < ask.maxTokens) return;
          totals.finished += 1;
          if (record.current?.outcome === 'open') record.current.outcome = 'done';
          if (record.writer === undefined && record.answer !== undefined && !reply.over)
            reply.json(
              200,
              wholeAnswer(record.answer, n + 1, finish, leg.kind === 'prefill' ? leg.extra : {}),
            );
        },
      },
      ask.http.receivedMs,
    );
    const answer: Served = {
      ...{ ask, dialect, model, framing, times, cachedTokens },
      reportsCached: script.reportsCached ?? true,
      perRequestMetrics: script.perRequestMetrics ?? false,
    };
    record.answer = answer;
    record.current = { ask, times, cachedTokens, tokenMs, outcome: fault === undefined ? 'open' : 'fault' };
    served.push(record.current);
    if (ask.stream) {
      record.writer = new StreamWriter(answer, reply, fault, ask.maxTokens, finish);
      record.writer.accepted();
    }
    const seen = record.current;
    reply.onAbort = () => {
      cancel();
      if (seen.outcome === 'open') seen.outcome = 'aborted';
    };
  };

  const answer = (http: HttpRequest, reply: Reply): void => {
    const key = script.apiKey;
    const isOpen = http.path === '/health' || http.path === '/metrics';
    if (key !== undefined && !isOpen && http.headers.get('authorization') !== `Bearer ${key}`) {
      reply.json(401, errorBody(dialect, 401, 'Invalid API Key'));
      return;
    }
    const isLoading = nowMs() - startedMs < (script.loadingMs ?? 0);
    if (isLoading) {
      reply.json(503, errorBody(dialect, 503, 'Loading model'));
      return;
    }
    switch (`${http.method} ${http.path}`) {
      case 'GET /health':
        reply.json(200, { status: 'ok' });
        return;
      case 'GET /v1/models':
        reply.json(200, modelsBody(dialect, model));
        return;
      case 'GET /metrics':
        if (script.metrics === false || dialect === 'openai')
          reply.json(dialect === 'llamacpp' ? 501 : 404, errorBody(dialect, 404, 'Not Found'));
        else reply.plain(200, 'text/plain; version=0.0.4', metricsText(dialect, model, counters()));
        return;
      case 'POST /reset_prefix_cache':
      case 'POST /flush_cache':
        cache.clear();
        reply.json(200, {});
        return;
      case 'POST /v1/completions':
      case 'POST /v1/chat/completions':
      case 'POST /generate':
        break;
      default:
        reply.json(404, errorBody(dialect, 404, 'Not Found'));
        return;
    }
    const ask = readAsk(http, asks.length);
    if (typeof ask === 'string') {
      reply.json(400, errorBody(dialect, 400, ask));
      return;
    }
    asks.push(ask);
    const fault = script.fault?.(ask);
    if (fault === undefined || 'after' in fault || fault.kind === 'no_done') generate(ask, reply, fault);
    else failAtOnce(fault, reply, dialect);
  };

  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    serveConnection(socket, rules, nowMs, answer);
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.on('error', reject);
    server.listen(script.port ?? 0, '127.0.0.1', 1024, () => {
      const address = server.address();
      if (address === null || typeof address === 'string') reject(new Error('no TCP address'));
      else resolve(address.port);
    });
  });
  const endpoints = await publisher?.listen();
  const stop = (how: (socket: Socket) => void) => {
    timers.stop();
    publisher?.close();
    for (const socket of sockets) how(socket);
    return new Promise<void>((resolve) => server.close(() => resolve()));
  };
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    served,
    asks,
    kv: publisher === undefined || endpoints === undefined ? undefined : { ...endpoints, publisher },
    cache,
    connections: () => sockets.size,
    counters,
    kill: () => stop((socket) => socket.resetAndDestroy()),
    close: () => stop((socket) => socket.destroy()),
  };
}

function readAsk(http: HttpRequest, index: number): Ask | string {
  let body: unknown;
  try {
    body = JSON.parse(http.body);
  } catch {
    return 'the body is not JSON';
  }
  if (typeof body !== 'object' || body === null) return 'the body is not an object';
  const fields = body as Readonly<Record<string, unknown>>;
  const api = http.path === '/generate' ? 'generate' : http.path.includes('chat') ? 'chat' : 'completions';
  const prompt = promptOf(fields, api);
  if (prompt === undefined) return 'no prompt';
  const sampling = fields['sampling_params'];
  const asked =
    api === 'generate' && typeof sampling === 'object' && sampling !== null
      ? Object.entries(sampling).find(([key]) => key === 'max_new_tokens')?.[1]
      : (fields['max_completion_tokens'] ?? fields['max_tokens']);
  return {
    ...{ http, index, api, body: fields, prompt },
    maxTokens: typeof asked === 'number' && asked >= 1 ? Math.floor(asked) : 16,
    stream: fields['stream'] === true,
    requestId: http.headers.get('x-request-id'),
  };
}

/** Token ids as they are; of a text one token per byte. */
function promptOf(body: Readonly<Record<string, unknown>>, api: Ask['api']): readonly number[] | undefined {
  const bytes = (text: string): number[] => Array.from(Buffer.from(text), (byte) => byte + 3);
  const given = api === 'chat' ? body['messages'] : (body['prompt'] ?? body['input_ids'] ?? body['text']);
  if (typeof given === 'string') return bytes(given);
  if (!Array.isArray(given)) return undefined;
  if (api === 'chat') return bytes(JSON.stringify(given));
  return given.every((id) => typeof id === 'number') ? given : undefined;
}

function modelsBody(dialect: Dialect, model: string): unknown {
  const owner = dialect === 'openai' ? 'openai' : dialect;
  return {
    object: 'list',
    data: [
      {
        ...{ id: model, object: 'model', created: 1_790_000_000, owned_by: owner },
        ...(dialect === 'vllm' || dialect === 'sglang' ? { root: model, max_model_len: 32_768 } : {}),
        ...(dialect === 'llamacpp' ? { meta: { n_vocab: 512, n_ctx_train: 65_536 } } : {}),
      },
    ],
  };
}

function errorBody(dialect: Dialect, code: number, message: string): unknown {
  const type =
    code === 401 ? 'authentication_error' : code === 503 ? 'unavailable_error' : 'invalid_request_error';
  return {
    error: dialect === 'openai' ? { message, type, param: null, code: null } : { message, type, code },
  };
}

function failAtOnce(
  fault: Exclude<Fault, { after: number } | { kind: 'no_done' }>,
  reply: Reply,
  dialect: Dialect,
): void {
  switch (fault.kind) {
    case 'status': {
      const { retryAfter } = fault;
      const headers: Record<string, string> =
        retryAfter === undefined
          ? {}
          : { 'retry-after': typeof retryAfter === 'number' ? String(retryAfter) : retryAfter.toUTCString() };
      if (fault.body !== undefined) reply.plain(fault.status, 'text/html', fault.body, headers);
      else reply.json(fault.status, errorBody(dialect, fault.status, 'scripted failure'), headers);
      return;
    }
    case 'redirect':
      reply.plain(307, 'text/plain', '', { location: fault.to });
      return;
    case 'silent':
      return;
    case 'close_before_answer':
      reply.cut();
      return;
    default:
      fault satisfies never;
  }
}
