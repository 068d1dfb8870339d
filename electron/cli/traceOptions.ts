import { resolve } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { InputError } from '../../workloads/run/inputError.ts';
import type { TrafficSpec } from '../../workloads/run/spec.ts';
import { type TimeUnit, timeUnits } from '../../workloads/run/timeUnits.ts';
import { detectTrace, headBytes, type TracePlan } from '../../workloads/traffic/traces/detectTrace.ts';
import { checkReadable, unpackedHeadOf } from '../shared/openFile.ts';
import { integer, oneOf, positive } from './options.ts';

type TraceSpec = Extract<TrafficSpec, { kind: 'trace' }>;

/** How a trace is read: shared by every command that takes one. */
export interface TraceOptions {
  readonly limit?: number;
  readonly speedup?: number;
  readonly timeUnit?: TimeUnit;
  readonly blockTokens?: number;
  readonly from?: number;
  readonly to?: number;
  readonly sample?: number;
  readonly rate?: number;
  readonly charsPerToken?: number;
  readonly outputTokens?: number;
  readonly dropOversized?: boolean;
  readonly dropEmpty?: boolean;
}

export const traceHelp =
  'a recorded trace, .gz and .zst too (docs/files.md says which; the dialect is detected)';

/** `--limit` and `--speedup` are declared by each command, whose words for them differ; `from`, `to` too where taken. */
export function addTraceOptions(command: Command, interval: 'from-to' | 'none' = 'from-to'): Command {
  command
    .option('--time-unit <unit>', `unit of the trace's times: ${timeUnits.join(', ')}`, oneOf(...timeUnits))
    .option(
      '--block-tokens <n>',
      'tokens per block id of the trace; 0 leaves the ids out',
      integer(0, 1_000_000),
    );
  if (interval === 'from-to')
    command
      .option(
        '--from <time>',
        'only requests that arrive from here on: seconds since the first, or 90s, 10m, 2h',
        seconds,
      )
      .option('--to <time>', 'only requests that arrive before', seconds);
  return command
    .option('--sample <share>', 'a share of the requests (of whole sessions), 0 .. 1', share)
    .option('--rate <req/s>', 'Poisson arrivals, for a trace without times', positive('requests per second'))
    .option('--chars-per-token <n>', 'token counts from texts, for a trace without lengths', positive(''))
    .option(
      '--output-tokens <n>',
      'output tokens of requests for which the trace gives none',
      integer(1, 10_000_000),
    )
    .option('--drop-oversized', 'leave out, and count, requests that fit into no KV memory')
    .option('--drop-empty', 'leave out, and count, requests without prompt or output tokens');
}

function seconds(text: string): number {
  const found = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)?$/.exec(text.trim());
  if (found === null) throw new InvalidArgumentError('Expected seconds, or a time like 90s, 10m, 2h.');
  const factor = { ms: 0.001, s: 1, m: 60, h: 3600, d: 86_400 }[found[2] ?? 's'] ?? 1;
  return Number(found[1]) * factor;
}

function share(text: string): number {
  const percent = text.trim().endsWith('%');
  const value = Number(text.trim().replace(/%$/, '')) / (percent ? 100 : 1);
  if (!(value > 0 && value <= 1))
    throw new InvalidArgumentError('Expected a share above 0, at most 1 (or 100%).');
  return value;
}

/** The first of the options that was given: they mean nothing without a trace. */
export const traceOptionGiven = (options: TraceOptions): string | undefined => {
  const names: Readonly<Record<string, unknown>> = {
    '--limit': options.limit,
    '--time-unit': options.timeUnit,
    '--block-tokens': options.blockTokens,
    '--from': options.from,
    '--to': options.to,
    '--sample': options.sample,
    '--chars-per-token': options.charsPerToken,
    '--output-tokens': options.outputTokens,
    '--drop-oversized': options.dropOversized,
    '--drop-empty': options.dropEmpty,
  };
  return Object.keys(names).find((name) => names[name] !== undefined);
};

/** The format that a file was recognised as, in one line. */
export const takenFor = (path: string, { dialect, findings }: TracePlan): string =>
  `${path}: taken for ${/^[AEIOU]/.test(dialect.label) ? 'an' : 'a'} ${dialect.label}${findings.length === 0 ? '' : `; ${findings.join('; ')}`}`;

/**
 * The spec of a trace file, whose dialect its first bytes tell. `note` receives one line that says what it was taken for.
 *
 * @throws InputError where the file cannot be read, or leaves a question open that an option answers
 */
export function traceSpec(
  path: string,
  options: TraceOptions,
  note: (line: string) => void = () => undefined,
): TraceSpec {
  checkReadable(path, 'a trace of requests');
  if (options.from !== undefined && options.to !== undefined && options.to <= options.from)
    throw new InputError(`--to ${options.to}: expected a time after --from ${options.from}`);
  const choice = {
    ...given('limit', options.limit),
    ...given('time_unit', options.timeUnit),
    ...given('block_tokens', options.blockTokens),
    ...given('from_s', options.from),
    ...given('to_s', options.to),
    ...given('sample', options.sample),
    ...given('rate_rps', options.rate),
    ...given('chars_per_token', options.charsPerToken),
    ...given('output_tokens', options.outputTokens),
    ...given('drop_oversized', options.dropOversized),
    ...given('drop_empty', options.dropEmpty),
  };
  const plan = detectTrace(path, unpackedHeadOf(path, headBytes), choice);
  note(takenFor(path, plan));
  return {
    kind: 'trace',
    // Absolute: the spec means the same file wherever it is run again.
    path: resolve(path),
    format: plan.dialect.id,
    speedup: options.speedup ?? 1,
    ...choice,
  };
}

const given = <K extends string, V>(key: K, value: V | undefined): { readonly [key in K]?: V } =>
  (value === undefined ? {} : { [key]: value }) as { readonly [key in K]?: V };
