import type { RunSpec } from '../../../workloads/run/spec.ts';
import type { Distribution, LatencyMetricId } from '../../../workloads/run/summary.ts';
import { type Columns, numbers, query, type RowSource } from './duckdb.ts';

const latencies: readonly LatencyMetricId[] = ['ttft_ms', 'tpot_ms', 'e2e_ms', 'queue_ms'];
const statistics = ['n', 'mean', 'min', 'p50', 'p90', 'p95', 'p99', 'max'] as const;

/**
 * What can still be said of a run whose runner never said it itself: figures of the request rows that were kept. Keys that
 * only the engine knows (KV cache, gaps between tokens) are absent.
 */
export async function rebuildSummary(spec: RunSpec, requests: RowSource): Promise<object> {
  const figures = latencies.flatMap((id) => [
    `count(${id})::DOUBLE AS ${id}_n`,
    `avg(${id}) AS ${id}_mean`,
    `min(${id}) AS ${id}_min`,
    ...[50, 90, 95, 99].map((p) => `quantile_cont(${id}, ${p / 100}) AS ${id}_p${p}`),
    `max(${id}) AS ${id}_max`,
  ]);
  const found = await query(
    requests.instance,
    `SELECT count(*)::DOUBLE AS arrived,
      (count(*) FILTER (status = 'rejected'))::DOUBLE AS rejected,
      (count(*) FILTER (status = 'completed'))::DOUBLE AS completed,
      (count(*) FILTER (status = 'unfinished'))::DOUBLE AS unfinished,
      (count(*) FILTER (good))::DOUBLE AS good, count(good)::DOUBLE AS judged,
      coalesce(sum(prompt_tokens), 0)::DOUBLE AS prompt_tokens,
      coalesce(sum(output_tokens) FILTER (status = 'completed'), 0)::DOUBLE AS output_tokens,
      coalesce(max(finish_ns), 0)::DOUBLE AS makespan_ns, ${figures.join(', ')} FROM ${requests.from}`,
  );
  const value = (name: string): number => numbers(found, name)[0] ?? Number.NaN;
  const metrics: Partial<Record<LatencyMetricId, Distribution>> = {};
  for (const id of latencies) if (value(`${id}_n`) > 0) metrics[id] = distribution(found, id);
  const seconds = value('makespan_ns') / 1e9;
  const perSecond = (amount: number) => (seconds > 0 ? amount / seconds : 0);
  const arrived = value('arrived');
  return {
    schema: 1,
    /** Made from the rows that were kept, not by the engine. */
    rebuilt: true,
    target: spec.target,
    variant: spec.variant,
    engine: spec.engine,
    simulated: spec.engine === 'sim',
    seed: spec.seed,
    iterations: spec.iterations,
    metrics,
    requests: {
      arrived,
      admitted: arrived - value('rejected'),
      rejected: value('rejected'),
      completed: value('completed'),
      unfinished: value('unfinished'),
    },
    ...(value('judged') > 0 ? { goodput_rps: perSecond(value('good')), good_requests: value('good') } : {}),
    throughput_rps: perSecond(value('completed')),
    output_tokens_per_s: perSecond(value('output_tokens')),
    prompt_tokens_per_s: perSecond(value('prompt_tokens')),
    makespan_s: seconds,
  };
}

function distribution(found: Columns, id: LatencyMetricId): Distribution {
  const [n, mean, min, p50, p90, p95, p99, max] = statistics.map(
    (statistic) => numbers(found, `${id}_${statistic}`)[0] ?? Number.NaN,
  );
  return {
    n: n ?? 0,
    mean: mean ?? 0,
    min: min ?? 0,
    p50: p50 ?? 0,
    p90: p90 ?? 0,
    p95: p95 ?? 0,
    p99: p99 ?? 0,
    max: max ?? 0,
  };
}
