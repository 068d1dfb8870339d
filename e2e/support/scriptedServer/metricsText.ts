// /metrics of a scripted server, with the names that each engine uses.
import type { Dialect } from './script.ts';

export interface Counters {
  running: number;
  waiting: number;
  promptTokens: number;
  cachedTokens: number;
  outputTokens: number;
  finished: number;
  ttftSumS: number;
  ttftCount: number;
  kvBlocksUsed: number;
  kvBlocks: number;
  blockTokens: number;
}

export function metricsText(dialect: Dialect, model: string, c: Counters): string {
  const use = c.kvBlocks > 0 ? c.kvBlocksUsed / c.kvBlocks : 0;
  switch (dialect) {
    case 'vllm':
      return text(`{engine="0",model_name="${model}"}`, [
        ['gauge', 'vllm:num_requests_running', c.running],
        ['gauge', 'vllm:num_requests_waiting', c.waiting],
        ['gauge', 'vllm:kv_cache_usage_perc', use],
        ['counter', 'vllm:prefix_cache_queries_total', c.promptTokens],
        ['counter', 'vllm:prefix_cache_hits_total', c.cachedTokens],
        ['counter', 'vllm:prompt_tokens_total', c.promptTokens],
        ['counter', 'vllm:generation_tokens_total', c.outputTokens],
        ['counter', 'vllm:num_preemptions_total', 0],
        ['counter', 'vllm:time_to_first_token_seconds_sum', c.ttftSumS],
        ['counter', 'vllm:time_to_first_token_seconds_count', c.ttftCount],
      ]).concat(
        '# TYPE vllm:cache_config_info gauge\n',
        `vllm:cache_config_info{block_size="${c.blockTokens}",engine="0",num_gpu_blocks="${c.kvBlocks}"} 1.0\n`,
      );
    case 'sglang':
      return text(`{model_name="${model}",tp_rank="0"}`, [
        ['gauge', 'sglang:num_running_reqs', c.running],
        ['gauge', 'sglang:num_queue_reqs', c.waiting],
        ['gauge', 'sglang:token_usage', use],
        ['gauge', 'sglang:cache_hit_rate', c.promptTokens > 0 ? c.cachedTokens / c.promptTokens : 0],
        ['counter', 'sglang:prompt_tokens_total', c.promptTokens],
        ['counter', 'sglang:generation_tokens_total', c.outputTokens],
      ]);
    case 'llamacpp':
      return text('', [
        ['counter', 'llamacpp:prompt_tokens_total', c.promptTokens - c.cachedTokens],
        ['counter', 'llamacpp:prompt_tokens_cached_total', c.cachedTokens],
        ['counter', 'llamacpp:tokens_predicted_total', c.outputTokens],
        ['gauge', 'llamacpp:requests_processing', c.running],
        ['gauge', 'llamacpp:requests_deferred', c.waiting],
      ]);
    case 'openai':
      return '';
    default: {
      const never: never = dialect;
      return never;
    }
  }
}

const text = (labels: string, rows: readonly (readonly [string, string, number])[]): string =>
  rows.map(([type, name, value]) => `# TYPE ${name} ${type}\n${name}${labels} ${value}\n`).join('');
