import {
  type PrometheusSample,
  parsePrometheus,
} from '../../../workloads/engines/http/servers/prometheus.ts';
import { readingsOf } from '../../../workloads/engines/http/servers/serverReadings.ts';
import {
  capabilitiesOf,
  type Evidence,
  type ServerReport,
  type StreamEvidence,
  serverDialect,
} from '../../../workloads/engines/http/servers/serverReport.ts';
import type { ServerInstance } from '../../../workloads/run/instanceSpec.ts';
import { ask, jsonObject, membersOf, type ShortAnswer, Unreachable } from './shortRequest.ts';
import { ZmtpSocket } from './zmtpSocket.ts';

export interface ProbeOptions {
  /** Sends two equal streams of two tokens each; without them several capabilities stay unknown. */
  readonly generates: boolean;
  readonly timeoutMs?: number;
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** A prompt longer than four blocks of 16, so that a repeat shows in the prefix cache. */
const probeTokens = 80;

/** Asks a server what it is and what it tells. Never throws: what could not be asked is in the report. */
export async function probeServer(server: ServerInstance, options: ProbeOptions): Promise<ServerReport> {
  const base = { name: server.name, url: server.url };
  const keyName = server.api_key_env;
  const apiKey = keyName === undefined ? undefined : (options.env ?? process.env)[keyName];
  if (keyName !== undefined && apiKey === undefined)
    return unreachable(base, `environment variable ${keyName} is not set: it should hold the API key`);
  const get = (path: string) => attempt(`${server.url}${path}`, apiKey, options.timeoutMs ?? 3000);
  const [models, health] = await Promise.all([get('/v1/models'), get('/health')]);
  if (models instanceof Unreachable) return unreachable(base, models.message);
  if (models.status === 401 || models.status === 403)
    return unreachable(
      base,
      `it wants an API key (${models.status}): name the environment variable that holds it, key-env=VAR`,
    );
  if (models.status >= 300 && models.status < 400)
    return unreachable(base, `it redirects to ${String(models.headers['location'])}: give that URL`);
  if (models.status === 503)
    return unreachable(base, `not ready (503): ${errorText(models.body) ?? 'loading'}`);
  const list = jsonObject(models.body)?.['data'];
  if (models.status !== 200 || !Array.isArray(list))
    return unreachable(base, `/v1/models answers ${models.status}, expected a list of models`);
  const entries = list.map(membersOf);
  const names = entries.flatMap(({ id }) => (typeof id === 'string' ? [id] : []));
  const model = server.served_model ?? names[0];
  const [metrics, props, version, serverInfo] = await Promise.all([
    attempt(server.metrics ?? `${server.url}/metrics`, apiKey, options.timeoutMs ?? 3000),
    get('/props'),
    get('/version'),
    get('/get_server_info'),
  ]);
  const samples: PrometheusSample[] | undefined = isOk(metrics) ? parsePrometheus(metrics.body) : undefined;
  const stream =
    options.generates && model !== undefined ? await streams(server.url, model, apiKey) : undefined;
  const kv = await kvReachable(server.kv_events);
  const propsBody = isOk(props) ? jsonObject(props.body) : undefined;
  const evidence: Evidence = {
    given: server.dialect,
    owners: entries.flatMap(({ owned_by: owner }) => (typeof owner === 'string' ? [owner] : [])),
    answers: {
      props: propsBody?.['total_slots'] !== undefined,
      version: isOk(version) && jsonObject(version.body)?.['version'] !== undefined,
      serverInfo: isOk(serverInfo),
    },
    ...{ samples, stream },
    metricsStatus: metrics instanceof Unreachable ? 0 : metrics.status,
    ...kv,
  };
  const dialect = serverDialect(evidence);
  const readings = samples === undefined ? undefined : readingsOf(samples);
  const slots = numberIn(propsBody?.['total_slots']);
  const slotContext = contextOf(propsBody);
  const context = numberIn(entries[0]?.['max_model_len']) ?? slotContext;
  const kvTokens =
    readings !== undefined && readings.kvBlocks * readings.blockTokens > 0
      ? readings.kvBlocks * readings.blockTokens
      : slots !== undefined && slotContext !== undefined
        ? slots * slotContext
        : undefined;
  const vocabulary = numberIn(membersOf(entries[0]?.['meta'])['n_vocab']);
  const versionText = isOk(version) ? jsonObject(version.body)?.['version'] : undefined;
  const remark = remarkOf(health, server, names);
  return {
    ...{ ...base, reachable: true, dialect, models: names },
    ...(remark === undefined ? {} : { remark }),
    ...(typeof versionText === 'string' ? { version: versionText } : {}),
    ...(context === undefined ? {} : { contextTokens: context }),
    ...(vocabulary === undefined ? {} : { vocabulary }),
    ...(slots === undefined ? {} : { slots }),
    ...(kvTokens === undefined ? {} : { kvTokens }),
    ...(readings === undefined ? {} : { readings }),
    capabilities: capabilitiesOf(evidence, dialect),
  };
}

const unreachable = (base: Pick<ServerReport, 'name' | 'url'>, remark: string): ServerReport => ({
  ...{ ...base, reachable: false, remark, models: [], capabilities: [] },
});

async function attempt(
  url: string,
  apiKey: string | undefined,
  timeoutMs: number,
): Promise<ShortAnswer | Unreachable> {
  try {
    return await ask(url, { apiKey, timeoutMs });
  } catch (thrown) {
    if (thrown instanceof Unreachable) return thrown;
    throw thrown;
  }
}

const isOk = (answer: ShortAnswer | Unreachable): answer is ShortAnswer =>
  !(answer instanceof Unreachable) && answer.status === 200;

const numberIn = (value: unknown): number | undefined =>
  typeof value === 'number' && Number.isFinite(value) && value > 0 ? value : undefined;

const contextOf = (props: Readonly<Record<string, unknown>> | undefined): number | undefined =>
  numberIn(membersOf(props?.['default_generation_settings'])['n_ctx']);

function remarkOf(
  health: ShortAnswer | Unreachable,
  server: ServerInstance,
  models: readonly string[],
): string | undefined {
  const { served_model: model } = server;
  if (model !== undefined && !models.includes(model))
    return `it does not list the model ${model}, only ${models.join(', ') || 'none'}`;
  if (!(health instanceof Unreachable) && health.status >= 500) return `/health answers ${health.status}`;
  return undefined;
}

/** The message of an OpenAI-style error body. */
function errorText(body: string): string | undefined {
  const error = jsonObject(body)?.['error'];
  const message = typeof error === 'string' ? error : membersOf(error)['message'];
  return typeof message === 'string' ? message : undefined;
}

async function streams(url: string, model: string, apiKey: string | undefined): Promise<StreamEvidence> {
  // Token ids that any vocabulary has, drawn anew for each probe: an earlier probe's prompt would be cached.
  const seed = Math.floor(performance.now() * 1000);
  const prompt = Array.from({ length: probeTokens }, (_, i) => 260 + ((seed + i * 7919) % 240));
  const body = {
    ...{
      model,
      prompt,
      max_tokens: 2,
      temperature: 0,
      stream: true,
      ignore_eos: true,
      return_token_ids: true,
    },
    stream_options: { include_usage: true, continuous_usage_stats: true },
  };
  const one = async (json: object): Promise<StreamEvidence> => {
    try {
      const answer = await ask(`${url}/v1/completions`, { json, apiKey, timeoutMs: 30_000 });
      return streamEvidence(answer);
    } catch (thrown) {
      const error = thrown instanceof Error ? thrown.message : String(thrown);
      return { ...noStream, status: 0, error };
    }
  };
  let sent: object = body;
  let first = await one(sent);
  if (first.status === 400 || first.status === 422) {
    // A strict server refuses fields that it does not know.
    const { ignore_eos: _, return_token_ids: __, ...plain } = body;
    sent = { ...plain, stream_options: { include_usage: true } };
    first = await one(sent);
  }
  if (first.status !== 200) return first;
  const second = await one(sent);
  return { ...first, cachedTokens: second.cachedTokens };
}

const noStream = {
  ...{ usage: false, continuousUsage: false, tokenIds: false, done: false },
  ...{ metrics: false, timings: false, nvext: false },
};

function streamEvidence({ status, body }: ShortAnswer): StreamEvidence {
  if (status !== 200) return { ...noStream, status, error: errorText(body) };
  const events = body
    .split(/\r?\n/)
    .filter((line) => line.startsWith('data:'))
    .map((line) => line.slice(5).trim());
  const parsed = events.flatMap((text): Readonly<Record<string, unknown>>[] => {
    const event = jsonObject(text);
    return event === undefined ? [] : [event];
  });
  const usages = parsed.map((event) => event['usage']).filter(isObject);
  const tokenEvents = parsed.filter((event) => {
    const choice = choiceOf(event);
    return (
      choice['text'] !== undefined && choice['text'] !== '' && typeof choice['finish_reason'] !== 'string'
    );
  });
  const last = membersOf(usages.at(-1));
  const cached = membersOf(last['prompt_tokens_details'])['cached_tokens'];
  const error = parsed.find((event) => event['error'] !== undefined);
  return {
    status: error === undefined ? status : 500,
    error: error === undefined ? undefined : errorText(JSON.stringify(error)),
    promptTokens: numberIn(last['prompt_tokens']),
    usage: usages.length > 0,
    continuousUsage: tokenEvents.some((event) => isObject(event['usage'])),
    tokenIds: tokenEvents.some((event) => {
      const ids = choiceOf(event)['token_ids'];
      return Array.isArray(ids) && ids.length > 0;
    }),
    done: events.at(-1) === '[DONE]',
    cachedTokens: typeof cached === 'number' ? cached : undefined,
    metrics: parsed.some((event) => isObject(event['metrics'])),
    timings: parsed.some((event) => event['timings'] !== undefined),
    nvext: parsed.some((event) => event['nvext'] !== undefined),
  };
}

const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null;

function choiceOf(event: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const choices: unknown = event['choices'];
  return Array.isArray(choices) ? membersOf(choices[0]) : {};
}

function kvReachable(endpoint: string | undefined): Promise<Pick<Evidence, 'kvEvents' | 'kvReason'>> {
  if (endpoint === undefined) return Promise.resolve({ kvEvents: 'not given' });
  return new Promise((resolve) => {
    const socket: ZmtpSocket = new ZmtpSocket(endpoint, 'SUB', {
      onReady: () => {
        resolve({ kvEvents: 'connected' });
        socket.close();
      },
      onMessage: () => undefined,
      onClose: (kvReason) => resolve({ kvEvents: 'failed', kvReason }),
    });
  });
}
