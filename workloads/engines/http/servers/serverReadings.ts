import type { Tokens } from '../../../units.ts';
import type { PrometheusSample } from './prometheus.ts';

/** What one reading of a server's /metrics says; NaN where its names do not tell. Counters are totals since its start. */
export interface ServerReadings {
  /** Requests in the batch. */
  readonly running: number;
  /** Requests that wait for their first scheduling. */
  readonly waiting: number;
  /** Share of KV memory in use, 0 to 1. */
  readonly kvUse: number;
  /** Prompt tokens that were looked up in the prefix cache, and those found. */
  readonly prefixQueries: Tokens;
  readonly prefixHits: Tokens;
  /** Hit rate as the server averages it itself, 0 to 1. */
  readonly hitRate: number;
  readonly promptTokens: Tokens;
  readonly outputTokens: Tokens;
  readonly preemptions: number;
  /** Sum and count of its own TTFT histogram. */
  readonly ttftSumS: number;
  readonly ttftCount: number;
  /** Sum and count of its own time per output token. */
  readonly tpotSumS: number;
  readonly tpotCount: number;
  readonly queueSumS: number;
  readonly queueCount: number;
  readonly kvBlocks: number;
  readonly blockTokens: Tokens;
}

export type MetricsDialect = 'vllm' | 'sglang' | 'trtllm' | 'triton' | 'llamacpp' | 'dynamo';

/** A name, or a name with labels that must be there: `name{label=value}`. Several samples of it are added up. */
type Source = string | { readonly name: string; readonly label: string; readonly is: string };

interface NamesOfDialect {
  readonly sources: Partial<Record<keyof ServerReadings, readonly Source[]>>;
  /** Fractions are averaged over ranks, not added. */
  readonly configInfo?: { readonly name: string; readonly blocks: string; readonly blockTokens: string };
}

const triton = (label: string, is: string, name: string): Source => ({ name, label, is });

/** The Prometheus names of each engine, newest first (reference/serving.md §5). */
const namesOf: Readonly<Record<MetricsDialect, NamesOfDialect>> = {
  vllm: {
    sources: {
      running: ['vllm:num_requests_running'],
      waiting: ['vllm:num_requests_waiting'],
      kvUse: ['vllm:kv_cache_usage_perc', 'vllm:gpu_cache_usage_perc'],
      prefixQueries: ['vllm:prefix_cache_queries_total', 'vllm:gpu_prefix_cache_queries_total'],
      prefixHits: ['vllm:prefix_cache_hits_total', 'vllm:gpu_prefix_cache_hits_total'],
      promptTokens: ['vllm:prompt_tokens_total'],
      outputTokens: ['vllm:generation_tokens_total'],
      preemptions: ['vllm:num_preemptions_total'],
      ttftSumS: ['vllm:time_to_first_token_seconds_sum'],
      ttftCount: ['vllm:time_to_first_token_seconds_count'],
      tpotSumS: ['vllm:inter_token_latency_seconds_sum', 'vllm:time_per_output_token_seconds_sum'],
      tpotCount: ['vllm:inter_token_latency_seconds_count', 'vllm:time_per_output_token_seconds_count'],
      queueSumS: ['vllm:request_queue_time_seconds_sum'],
      queueCount: ['vllm:request_queue_time_seconds_count'],
    },
    configInfo: { name: 'vllm:cache_config_info', blocks: 'num_gpu_blocks', blockTokens: 'block_size' },
  },
  sglang: {
    sources: {
      running: ['sglang:num_running_reqs'],
      waiting: ['sglang:num_queue_reqs'],
      kvUse: ['sglang:token_usage'],
      hitRate: ['sglang:cache_hit_rate'],
      promptTokens: ['sglang:prompt_tokens_total'],
      outputTokens: ['sglang:generation_tokens_total'],
      ttftSumS: ['sglang:time_to_first_token_seconds_sum'],
      ttftCount: ['sglang:time_to_first_token_seconds_count'],
      tpotSumS: ['sglang:inter_token_latency_seconds_sum', 'sglang:time_per_output_token_seconds_sum'],
      tpotCount: ['sglang:inter_token_latency_seconds_count', 'sglang:time_per_output_token_seconds_count'],
    },
    configInfo: { name: 'sglang:cache_config_info', blocks: 'num_pages', blockTokens: 'page_size' },
  },
  trtllm: {
    sources: {
      running: ['trtllm_num_requests_running'],
      waiting: ['trtllm_num_requests_waiting'],
      kvUse: ['trtllm_kv_cache_utilization'],
      hitRate: ['trtllm_kv_cache_hit_rate'],
      prefixHits: ['trtllm_prompt_cached_tokens_total', 'trtllm_prompt_cached_tokens'],
      promptTokens: ['trtllm_prompt_tokens_total'],
      ttftSumS: ['trtllm_time_to_first_token_seconds_sum'],
      ttftCount: ['trtllm_time_to_first_token_seconds_count'],
      tpotSumS: ['trtllm_time_per_output_token_seconds_sum'],
      tpotCount: ['trtllm_time_per_output_token_seconds_count'],
      queueSumS: ['trtllm_request_queue_time_seconds_sum'],
      queueCount: ['trtllm_request_queue_time_seconds_count'],
      kvBlocks: ['trtllm_kv_cache_max_blocks'],
      blockTokens: ['trtllm_kv_cache_tokens_per_block'],
    },
  },
  triton: {
    sources: {
      running: [triton('request_type', 'scheduled', 'nv_trt_llm_request_metrics')],
      waiting: [triton('request_type', 'waiting', 'nv_trt_llm_request_metrics')],
      kvUse: [triton('kv_cache_block_type', 'fraction', 'nv_trt_llm_kv_cache_block_metrics')],
      kvBlocks: [triton('kv_cache_block_type', 'max', 'nv_trt_llm_kv_cache_block_metrics')],
      blockTokens: [triton('kv_cache_block_type', 'tokens_per', 'nv_trt_llm_kv_cache_block_metrics')],
    },
  },
  llamacpp: {
    sources: {
      running: ['llamacpp:requests_processing'],
      waiting: ['llamacpp:requests_deferred'],
      kvUse: ['llamacpp:kv_cache_usage_ratio'],
      promptTokens: ['llamacpp:prompt_tokens_total'],
      prefixHits: ['llamacpp:prompt_tokens_cached_total'],
      outputTokens: ['llamacpp:tokens_predicted_total'],
    },
  },
  dynamo: {
    sources: {
      running: ['dynamo_frontend_inflight_requests', 'dynamo_component_inflight_requests'],
      waiting: ['dynamo_frontend_queued_requests'],
      kvUse: ['dynamo_component_gpu_cache_usage_percent'],
      hitRate: ['dynamo_component_kv_cache_hit_rate'],
      outputTokens: ['dynamo_frontend_output_tokens_total'],
      ttftSumS: ['dynamo_frontend_time_to_first_token_seconds_sum'],
      ttftCount: ['dynamo_frontend_time_to_first_token_seconds_count'],
      tpotSumS: ['dynamo_frontend_inter_token_latency_seconds_sum'],
      tpotCount: ['dynamo_frontend_inter_token_latency_seconds_count'],
      kvBlocks: ['dynamo_component_total_blocks'],
    },
  },
};

/** Averaged over the ranks of a server, where all others are added up. */
const averaged = new Set<keyof ServerReadings>(['kvUse', 'hitRate', 'blockTokens']);

const prefixes: readonly (readonly [string, MetricsDialect])[] = [
  ['vllm:', 'vllm'],
  ['sglang:', 'sglang'],
  ['trtllm_', 'trtllm'],
  ['nv_trt_llm_', 'triton'],
  ['llamacpp:', 'llamacpp'],
  ['dynamo_', 'dynamo'],
];

/** Whose names a page has; undefined where none is known. An engine's own names win over those of a frontend. */
export function dialectOf(samples: readonly PrometheusSample[]): MetricsDialect | undefined {
  for (const [prefix, dialect] of prefixes)
    if (samples.some(({ name }) => name.startsWith(prefix))) return dialect;
  return undefined;
}

export function readingsOf(samples: readonly PrometheusSample[]): ServerReadings {
  const dialect = dialectOf(samples);
  const names = dialect === undefined ? undefined : namesOf[dialect];
  const read = (key: keyof ServerReadings): number => {
    for (const source of names?.sources[key] ?? []) {
      const values = samples.filter((sample) => matches(sample, source)).map(({ value }) => value);
      if (values.length === 0) continue;
      const sum = values.reduce((a, b) => a + b, 0);
      return averaged.has(key) ? sum / values.length : sum;
    }
    return Number.NaN;
  };
  const config = names?.configInfo;
  const info = config && samples.filter(({ name }) => name === config.name);
  const label = (sample: PrometheusSample, key: string): number => {
    const text = sample.labels.get(key);
    return text === undefined || !/^\d+$/.test(text) ? Number.NaN : Number(text);
  };
  const configBlocks = config && info?.reduce((sum, sample) => sum + label(sample, config.blocks), 0);
  const [first] = info ?? [];
  const promptTokens = read('promptTokens');
  const prefixHits = read('prefixHits');
  return {
    running: read('running'),
    waiting: read('waiting'),
    kvUse: read('kvUse'),
    prefixQueries: dialect === 'llamacpp' ? promptTokens + prefixHits : read('prefixQueries'),
    prefixHits,
    hitRate: read('hitRate'),
    promptTokens,
    outputTokens: read('outputTokens'),
    preemptions: read('preemptions'),
    ttftSumS: read('ttftSumS'),
    ttftCount: read('ttftCount'),
    tpotSumS: read('tpotSumS'),
    tpotCount: read('tpotCount'),
    queueSumS: read('queueSumS'),
    queueCount: read('queueCount'),
    kvBlocks: info !== undefined && info.length > 0 ? (configBlocks ?? Number.NaN) : read('kvBlocks'),
    blockTokens: config && first ? label(first, config.blockTokens) : read('blockTokens'),
  };
}

const matches = ({ name, labels }: PrometheusSample, source: Source): boolean =>
  typeof source === 'string'
    ? name === source
    : name === source.name && labels.get(source.label) === source.is;

/** Hit rate between two readings of one server: found of looked-up prompt tokens; NaN where its names do not tell. */
export function hitRateBetween(before: ServerReadings, after: ServerReadings): number {
  const queries = after.prefixQueries - before.prefixQueries;
  return queries > 0 ? (after.prefixHits - before.prefixHits) / queries : Number.NaN;
}
