import type { ServerInstance } from '../../../run/instanceSpec.ts';
import type { Tokens } from '../../../units.ts';
import type { PrometheusSample } from './prometheus.ts';
import { dialectOf, type MetricsDialect, type ServerReadings } from './serverReadings.ts';

export type ServerDialect = NonNullable<ServerInstance['dialect']>;

/** What a server can tell a load generator, and what would make it tell more. */
export interface Capability {
  readonly id: CapabilityId;
  readonly label: string;
  readonly state: 'yes' | 'no' | 'unknown';
  /** What was seen, in words. */
  readonly found: string;
  /** What gives it on this kind of server; absent where it is there, or where nothing does. */
  readonly remedy?: string;
}

export type CapabilityId =
  | 'token_prompts'
  | 'exact_tokens'
  | 'cached_tokens'
  | 'server_times'
  | 'metrics'
  | 'kv_events'
  | 'cold_cache';

export interface ServerReport {
  readonly name: string;
  readonly url: string;
  readonly reachable: boolean;
  /** Why not, or what is odd about it. */
  readonly remark?: string;
  readonly dialect?: ServerDialect;
  readonly version?: string;
  readonly models: readonly string[];
  readonly contextTokens?: Tokens;
  readonly vocabulary?: number;
  /** Requests that it runs at once, where it says so (llama.cpp's slots). */
  readonly slots?: number;
  readonly kvTokens?: Tokens;
  readonly readings?: ServerReadings;
  readonly capabilities: readonly Capability[];
}

/** What the probe's requests brought; absent: not asked, or no answer. */
export interface Evidence {
  readonly given?: ServerDialect | undefined;
  /** `owned_by` of the models. */
  readonly owners: readonly string[];
  /** Endpoints that only one engine has and that answered 200. */
  readonly answers: { readonly props: boolean; readonly version: boolean; readonly serverInfo: boolean };
  readonly samples?: readonly PrometheusSample[] | undefined;
  readonly metricsStatus: number;
  readonly stream?: StreamEvidence | undefined;
  readonly kvEvents: 'not given' | 'connected' | 'failed';
  readonly kvReason?: string | undefined;
}

/** What two equal streams of a few tokens showed. */
export interface StreamEvidence {
  readonly status: number;
  readonly error?: string | undefined;
  readonly promptTokens?: Tokens | undefined;
  readonly usage: boolean;
  readonly continuousUsage: boolean;
  readonly tokenIds: boolean;
  readonly done: boolean;
  /** In the second stream's usage; undefined: the field is absent. */
  readonly cachedTokens?: Tokens | undefined;
  readonly metrics: boolean;
  readonly timings: boolean;
  readonly nvext: boolean;
}

const byMetrics: Readonly<Record<MetricsDialect, ServerDialect>> = {
  vllm: 'vllm',
  sglang: 'sglang',
  trtllm: 'trtllm',
  triton: 'trtllm',
  llamacpp: 'llamacpp',
  dynamo: 'dynamo',
};

/** Which engine it is: as given, by its metrics, by who owns its models, or by an endpoint that only it has. */
export function serverDialect(evidence: Evidence): ServerDialect {
  if (evidence.given !== undefined) return evidence.given;
  const metrics = dialectOf(evidence.samples ?? []);
  if (metrics !== undefined) return byMetrics[metrics];
  for (const owner of evidence.owners) {
    if (owner === 'llamacpp') return 'llamacpp';
    if (owner === 'vllm' || owner === 'sglang') return owner;
    if (owner === 'tensorrt_llm' || owner === 'trtllm') return 'trtllm';
    if (owner === 'nvidia' || owner === 'dynamo') return 'dynamo';
  }
  if (evidence.answers.props) return 'llamacpp';
  if (evidence.answers.serverInfo) return 'sglang';
  return evidence.answers.version ? 'vllm' : 'openai';
}

type Remedies = Partial<Record<CapabilityId, string>>;

const remedies: Readonly<Record<ServerDialect, Remedies>> = {
  vllm: {
    cached_tokens: 'start it with --enable-prompt-tokens-details',
    server_times: 'start it with --enable-per-request-metrics (June 2026 and later)',
    kv_events:
      'start it with --kv-events-config \'{"enable_kv_cache_events":true,"publisher":"zmq","endpoint":"tcp://*:5557","replay_endpoint":"tcp://*:5558"}\' and add kv-events=tcp://HOST:5557',
    metrics: 'start it without --disable-log-stats',
  },
  sglang: {
    cached_tokens: 'start it with --enable-cache-report',
    metrics: 'start it with --enable-metrics',
    kv_events:
      'start it with --kv-events-config \'{"publisher":"zmq","endpoint":"tcp://*:5557"}\' and add kv-events=tcp://HOST:5557',
  },
  trtllm: {
    metrics: 'set return_perf_metrics and enable_iter_perf_stats in its configuration',
    cached_tokens: 'set enable_block_reuse in its kv_cache_config',
  },
  llamacpp: { metrics: 'start it with --metrics', cached_tokens: 'do not send cache_prompt: false' },
  dynamo: { server_times: 'ask for nvext.extra_fields: ["timing","worker_id"]' },
  openai: {},
};

export function capabilitiesOf(evidence: Evidence, dialect: ServerDialect): Capability[] {
  const { stream } = evidence;
  const asked = stream !== undefined && stream.status === 200;
  const list: Capability[] = [];
  const add = (id: CapabilityId, label: string, state: Capability['state'], found: string): void => {
    const remedy = state === 'yes' ? undefined : remedies[dialect][id];
    list.push({ id, label, state, found, ...(remedy === undefined ? {} : { remedy }) });
  };
  if (stream === undefined) add('token_prompts', 'prompts of token ids', 'unknown', 'not asked');
  else if (asked)
    add(
      ...(['token_prompts', 'prompts of token ids', 'yes'] as const),
      stream.promptTokens === undefined ? 'accepted' : `accepted, counted as ${stream.promptTokens} tokens`,
    );
  else add('token_prompts', 'prompts of token ids', 'no', stream.error ?? `status ${stream.status}`);
  const isExact = asked && (stream.continuousUsage || stream.tokenIds || dialect === 'llamacpp');
  add(
    ...(['exact_tokens', 'exact tokens per event'] as const),
    asked ? (isExact ? 'yes' : 'no') : 'unknown',
    asked
      ? stream.continuousUsage
        ? 'running usage in each event'
        : stream.tokenIds
          ? 'token ids in each event'
          : dialect === 'llamacpp'
            ? 'one token per event'
            : 'only the total at the end'
      : 'not asked',
  );
  const cached = asked ? stream.cachedTokens : undefined;
  add(
    ...(['cached_tokens', 'cached tokens of each prompt'] as const),
    asked ? (cached === undefined ? 'no' : 'yes') : 'unknown',
    cached === undefined
      ? asked
        ? 'usage has no prompt_tokens_details'
        : 'not asked'
      : `${cached} tokens of a repeated prompt`,
  );
  const times = asked && (stream.metrics || stream.timings || stream.nvext);
  add(
    ...(['server_times', "the server's own times"] as const),
    asked ? (times ? 'yes' : 'no') : 'unknown',
    times
      ? stream.metrics
        ? 'metrics'
        : stream.timings
          ? 'timings'
          : 'nvext.timing'
      : 'none in the answers',
  );
  const names = evidence.samples === undefined ? undefined : dialectOf(evidence.samples);
  add(
    ...(['metrics', 'Prometheus metrics'] as const),
    names === undefined ? 'no' : 'yes',
    names === undefined
      ? evidence.samples === undefined
        ? `/metrics answers ${evidence.metricsStatus === 0 ? 'nothing' : evidence.metricsStatus}`
        : '/metrics has no name that Dyno knows'
      : `names of ${names}`,
  );
  add(
    ...(['kv_events', 'KV events'] as const),
    evidence.kvEvents === 'connected' ? 'yes' : dialect === 'llamacpp' ? 'no' : 'unknown',
    evidence.kvEvents === 'connected'
      ? 'connected'
      : evidence.kvEvents === 'failed'
        ? (evidence.kvReason ?? 'no connection')
        : dialect === 'llamacpp'
          ? 'llama.cpp has none'
          : 'no address given',
  );
  const cold: Readonly<Record<ServerDialect, string>> = {
    vllm: 'cache_salt in the request',
    sglang: 'cache_salt in the request, POST /flush_cache',
    llamacpp: 'POST /slots/N?action=erase, or other prompts',
    trtllm: '',
    dynamo: '',
    openai: '',
  };
  add(
    ...(['cold_cache', 'cold prefix cache per run'] as const),
    cold[dialect] === '' ? 'no' : 'yes',
    cold[dialect] === '' ? 'by other prompts in each run only' : cold[dialect],
  );
  return list;
}
