import type { ClientSummary } from '../run/clientSummary.ts';
import type { Summary } from '../run/summary.ts';
import type { Ms } from '../units.ts';
import { formatMetric, threeFigures } from './format.ts';

/** The part of the smallest percentile shown that a load generator may be off by. */
export const tolerableShare = 0.1;
/** Above this share of coalesced events the network or a late client merged tokens. */
export const mostCoalesced = 0.01;

/** One way in which the load generator itself may have moved the figures of a run. */
export interface ClientError {
  readonly id: 'self_test_ttft' | 'self_test_itl' | 'schedule_delay' | 'event_loop' | 'coalesced';
  readonly label: string;
  /** With its unit; absent where it was not measured. */
  readonly text?: string;
  readonly definition: string;
  /** Why the figures are to be doubted, in one sentence; absent where the error is small beside them. */
  readonly doubt?: string;
}

type Measured = Pick<
  ClientSummary,
  'self_test' | 'schedule_delay_ms' | 'event_loop_delay_p99_ms' | 'coalesced_share' | 'stamps'
>;

/** The error bar of a run's own figures. The smallest percentiles shown are the medians of TTFT and ITL: errors are held against them. */
export function clientErrors(client: Measured, metrics: Summary['metrics']): ClientError[] {
  const ms = (value: Ms): string => formatMetric('ttft_ms', value);
  const ttft = metrics.ttft_ms?.p50;
  const itl = metrics.itl_ms?.p50;
  const {
    self_test: tested,
    schedule_delay_ms: delay,
    event_loop_delay_p99_ms: loop,
    coalesced_share: merged,
  } = client;
  const isPast = (value: Ms | undefined, beside: Ms | undefined): boolean =>
    value !== undefined && beside !== undefined && value > tolerableShare * beside;
  const error = (
    id: ClientError['id'],
    label: string,
    definition: string,
    text: string | undefined,
    doubt: string | undefined,
  ): ClientError => ({
    ...{ id, label, definition },
    ...(text === undefined ? {} : { text }),
    ...(doubt === undefined ? {} : { doubt }),
  });
  const against = (
    value: Ms | undefined,
    beside: Ms | undefined,
    name: string,
    what: (text: string) => string,
  ) =>
    value !== undefined && beside !== undefined && isPast(value, beside)
      ? `${what(ms(value))}, more than 10 % of the median ${name} ${ms(beside)}`
      : undefined;
  const untested = tested === undefined ? 'no self-test could be made, its error is unknown' : undefined;
  const text = (value: Ms | undefined): string | undefined => (value === undefined ? undefined : ms(value));
  const smallest = Math.min(ttft ?? Number.POSITIVE_INFINITY, itl ?? Number.POSITIVE_INFINITY);
  return [
    error(
      ...(['self_test_ttft', 'TTFT error, p99'] as const),
      'What the client adds to TTFT at p99, measured before the run against a stamped server on this machine at the planned rate.',
      text(tested?.ttft_error_p99_ms),
      untested ??
        against(tested?.ttft_error_p99_ms, ttft, 'TTFT', (t) => `it adds ${t} to TTFT at p99 (self-test)`),
    ),
    error(
      ...(['self_test_itl', 'ITL error, p99'] as const),
      'By how much the client misses ITL at p99, from the same self-test.',
      text(tested?.itl_error_p99_ms),
      against(tested?.itl_error_p99_ms, itl, 'ITL', (t) => `its error of ITL is ${t} at p99 (self-test)`),
    ),
    error(
      ...(['schedule_delay', 'Send delay, p99'] as const),
      'Actual send − intended send. Latencies count from the intended one, so a late client shows in TTFT.',
      text(delay?.p99),
      against(delay?.p99, ttft, 'TTFT', (t) => `requests left ${t} after they were due at p99`),
    ),
    error(
      ...(['event_loop', 'Event-loop delay, p99'] as const),
      'How late the thread was that routes requests. It moves stamps only where the clock stamps the bytes after they were read; kernel stamps do not depend on it.',
      text(loop),
      client.stamps === 'clock' && loop !== undefined && isPast(loop, smallest)
        ? `its event loop was ${ms(loop)} late at p99, more than 10 % of ${ms(smallest)}, and it stamps after reading`
        : undefined,
    ),
    error(
      ...(['coalesced', 'Coalesced events'] as const),
      'Events less than 20 µs after the one before, of all events with tokens: the server, the network or a late client merged them.',
      merged === undefined ? undefined : `${threeFigures(100 * merged)} %`,
      merged !== undefined && merged > mostCoalesced
        ? `${(100 * merged).toFixed(1)} % of the events came together with the one before: the server, the network or a late client merged them`
        : undefined,
    ),
  ];
}
