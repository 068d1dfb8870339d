import type { Comparison } from '../contract/protocol.ts';
import type { ComparedRun } from './compareRuns.ts';
import { numbers, query, type RowSource } from './store/duckdb.ts';

/**
 * Ties the outputs of two variants: over all requests that both completed, the same tokens went in and came out. Both
 * tables are joined request by request; the tolerance is zero.
 */
export async function verifyPair(
  baseline: ComparedRun,
  optimized: ComparedRun,
  a: RowSource,
  b: RowSource,
): Promise<Comparison['verification']> {
  if (a.instance !== b.instance)
    return { status: 'not_applicable', method: 'One of the two runs is still going on.' };
  const found = await query(
    a.instance,
    `SELECT count(*)::DOUBLE AS n,
       (count(*) FILTER (x.request IS NULL OR y.request IS NULL))::DOUBLE AS unmatched,
       (count(*) FILTER (x.arrival_ns <> y.arrival_ns OR x.prompt_tokens <> y.prompt_tokens
         OR x.output_tokens <> y.output_tokens))::DOUBLE AS unlike,
       min(coalesce(x.request, y.request)) FILTER (x.request IS NULL OR y.request IS NULL
         OR x.arrival_ns <> y.arrival_ns OR x.prompt_tokens <> y.prompt_tokens
         OR x.output_tokens <> y.output_tokens) AS first
     FROM ${a.from} x FULL JOIN ${b.from} y USING (iteration, request)`,
  );
  const value = (name: string) => numbers(found, name)[0] ?? 0;
  const wrong = value('unmatched') + value('unlike');
  const method = `Arrival, prompt and output tokens of ${value('n')} requests compared one by one between ${baseline.manifest.spec.variant} and ${optimized.manifest.spec.variant}, tolerance 0.`;
  return wrong === 0
    ? { status: 'passed', method }
    : {
        status: 'failed',
        method,
        detail: `${wrong} requests differ, the first is request ${value('first')}.`,
      };
}
