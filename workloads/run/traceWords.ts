import type { TrafficSpec } from './spec.ts';

type TraceSpec = Extract<TrafficSpec, { kind: 'trace' }>;

/** The options of the command line that read a trace as this spec does, `--trace PATH` first; words are not quoted. */
export function traceWords(trace: Omit<TraceSpec, 'kind' | 'format'>): string[] {
  const given = (name: string, value: number | string | undefined): string[] =>
    value === undefined ? [] : [name, String(value)];
  return [
    '--trace',
    trace.path,
    ...(trace.speedup === 1 ? [] : ['--speedup', String(trace.speedup)]),
    ...given('--limit', trace.limit),
    ...given('--time-unit', trace.time_unit),
    ...given('--block-tokens', trace.block_tokens),
    ...given('--from', trace.from_s),
    ...given('--to', trace.to_s),
    ...given('--sample', trace.sample),
    ...given('--rate', trace.rate_rps),
    ...given('--chars-per-token', trace.chars_per_token),
    ...given('--output-tokens', trace.output_tokens),
    ...(trace.drop_oversized === true ? ['--drop-oversized'] : []),
    ...(trace.drop_empty === true ? ['--drop-empty'] : []),
  ];
}
