/**
 * Every metric id that occurs in samples, summaries, tables, exports and charts, once. Window, command line, report and
 * tests iterate over this list; nothing else spells out a label, a unit or a definition.
 *
 * In the definitions: t0 = intended arrival, t1 = first token, tn = last token, n = output tokens.
 */
export type MetricUnit =
  | 'ms'
  | 's'
  | 'requests/s'
  | 'tokens/s'
  | 'requests'
  | 'tokens'
  | 'blocks'
  | 'count'
  | 'fraction'
  | 'bytes'
  | 'bytes/s'
  | 'FLOP/s'
  | 'W'
  | 'J'
  | '°C'
  | 'MHz'
  | 'USD';

export type MetricKind = 'latency' | 'rate' | 'count' | 'fraction' | 'gauge' | 'counter';
/** How a value is written; see `format.ts`. */
export type MetricFormat = 'duration' | 'rate' | 'count' | 'percent' | 'bytes' | 'quantity';
export type MetricGroup =
  | 'latency'
  | 'service'
  | 'load'
  | 'cache'
  | 'transfer'
  | 'balance'
  | 'utilisation'
  | 'gpu'
  | 'client';
export type Better = 'lower' | 'higher' | 'neutral';

export interface Metric {
  readonly id: string;
  readonly label: string;
  readonly unit: MetricUnit;
  /** The formula, in words that a lab report can quote. */
  readonly definition: string;
  readonly better: Better;
  readonly format: MetricFormat;
  readonly kind: MetricKind;
  readonly group: MetricGroup;
}

const latency = (id: string, label: string, definition: string): Metric => ({
  id,
  label,
  unit: 'ms',
  definition,
  better: 'lower',
  format: 'duration',
  kind: 'latency',
  group: 'latency',
});

const rate = (id: string, label: string, unit: MetricUnit, better: Better, definition: string): Metric => ({
  id,
  label,
  unit,
  definition,
  better,
  format: 'rate',
  kind: 'rate',
  group: 'service',
});

const count = (
  id: string,
  label: string,
  unit: MetricUnit,
  group: MetricGroup,
  better: Better,
  definition: string,
): Metric => ({ id, label, unit, definition, better, format: 'count', kind: 'count', group });

const fraction = (
  id: string,
  label: string,
  group: MetricGroup,
  better: Better,
  definition: string,
): Metric => ({
  id,
  label,
  unit: 'fraction',
  definition,
  better,
  format: 'percent',
  kind: 'fraction',
  group,
});

const gauge = (
  id: string,
  label: string,
  unit: MetricUnit,
  group: MetricGroup,
  format: MetricFormat,
  better: Better,
  definition: string,
): Metric => ({ id, label, unit, definition, better, format, kind: 'gauge', group });

const counter = (id: string, label: string, unit: MetricUnit, definition: string): Metric => ({
  id,
  label,
  unit,
  definition,
  better: 'lower',
  format: 'count',
  kind: 'counter',
  group: 'gpu',
});

const gpuShare = (id: string, label: string, definition: string): Metric =>
  fraction(id, label, 'gpu', 'neutral', definition);
const bytesPerSecond = (id: string, label: string, definition: string): Metric =>
  gauge(id, label, 'bytes/s', 'gpu', 'bytes', 'neutral', definition);

export const metrics: readonly Metric[] = [
  latency('ttft_ms', 'TTFT', 'Time to first token: t1 − t0, from the intended arrival'),
  latency(
    'tpot_ms',
    'TPOT',
    'Time per output token of one request: (tn − t1)/(n − 1); a request with n = 1 has none',
  ),
  latency(
    'itl_ms',
    'ITL',
    'Inter-token latency: each gap between consecutive tokens, pooled over all tokens',
  ),
  latency('e2e_ms', 'E2E latency', 'tn − t0'),
  latency('queue_ms', 'Queue time', 'First scheduling on an instance − t0'),
  latency(
    'tbt10_ms',
    'TBT10',
    'Mean of the longest 10 % of a request’s token gaps (Mooncake’s time between tokens)',
  ),
  latency('ntpot_ms', 'NTPOT', 'Normalised time per output token: (tn − t0)/n'),
  latency(
    'prefill_ms',
    'Prefill time',
    'First token − first scheduling: t1 minus the moment the prompt began to be computed',
  ),
  latency(
    'transfer_ms',
    'KV transfer time',
    'End of prefill until the KV cache is usable on the decoding instance',
  ),
  latency('schedule_delay_ms', 'Schedule delay', 'Actual send − intended send, in the load generator'),
  latency('iteration_ms', 'Iteration time', 'One forward pass of one batch, start to end'),

  rate('goodput_rps', 'Goodput', 'requests/s', 'higher', 'Requests per second that met every SLO given'),
  rate('throughput_rps', 'Throughput', 'requests/s', 'higher', 'Completed requests per second'),
  rate(
    'output_tokens_per_s',
    'Output tokens',
    'tokens/s',
    'higher',
    'Output tokens per second over all requests',
  ),
  rate(
    'prompt_tokens_per_s',
    'Prompt tokens',
    'tokens/s',
    'higher',
    'Prompt tokens taken in per second, cached ones included',
  ),
  rate('arrivals_rps', 'Arrivals', 'requests/s', 'neutral', 'Requests that arrived per second'),

  count(
    'queue_depth',
    'Queue depth',
    'requests',
    'load',
    'lower',
    'Requests that wait for their first scheduling',
  ),
  count('running', 'Running', 'requests', 'load', 'neutral', 'Requests in the batch of an iteration'),
  count(
    'arrived',
    'Arrived',
    'requests',
    'load',
    'neutral',
    'Requests that arrived since the start of the run',
  ),
  count('completed', 'Completed', 'requests', 'load', 'higher', 'Requests whose last token was produced'),
  count(
    'rejected',
    'Rejected',
    'requests',
    'load',
    'lower',
    'Requests refused by admission since the start of the run',
  ),
  count(
    'unfinished',
    'Unfinished',
    'requests',
    'load',
    'lower',
    'Admitted requests without a last token when the run ended',
  ),
  count(
    'preemptions',
    'Preemptions',
    'count',
    'load',
    'lower',
    'Times that a running request lost its KV blocks',
  ),
  count(
    'migrations',
    'Migrations',
    'count',
    'transfer',
    'neutral',
    'Times that a decoding request moved to another instance',
  ),
  count(
    'transfers',
    'KV transfers',
    'count',
    'transfer',
    'neutral',
    'Hand-overs of a request’s KV cache between instances',
  ),
  gauge(
    'transfer_bytes',
    'KV bytes moved',
    'bytes',
    'transfer',
    'bytes',
    'neutral',
    'Bytes of KV cache sent between instances',
  ),
  count('hits', 'KV block hits', 'blocks', 'cache', 'higher', 'Prompt blocks found in the KV cache'),
  count(
    'evictions',
    'KV evictions',
    'blocks',
    'cache',
    'lower',
    'Blocks dropped from the KV cache to make room',
  ),

  fraction(
    'kv_used',
    'KV cache in use',
    'cache',
    'neutral',
    'KV blocks held by running requests ÷ KV blocks of the instance',
  ),
  fraction(
    'kv_cached',
    'KV cache filled',
    'cache',
    'neutral',
    'KV blocks holding any data, running or reusable ÷ KV blocks of the instance',
  ),
  fraction(
    'prefix_hit_rate',
    'Prefix hit rate',
    'cache',
    'higher',
    'Prompt blocks found in the KV cache ÷ prompt blocks looked up',
  ),
  fraction(
    'token_hit_rate',
    'Token hit rate',
    'cache',
    'higher',
    'Prompt tokens found in the KV cache ÷ prompt tokens',
  ),
  gauge(
    'request_imbalance',
    'Request imbalance',
    'count',
    'balance',
    'quantity',
    'lower',
    'Requests of the busiest instance ÷ mean requests per instance; 1 = even',
  ),
  gauge(
    'token_imbalance',
    'Token imbalance',
    'count',
    'balance',
    'quantity',
    'lower',
    'Tokens of the busiest instance ÷ mean tokens per instance; 1 = even',
  ),
  fraction('busy', 'Busy', 'utilisation', 'neutral', 'Share of time with an iteration in progress'),
  fraction(
    'compute_util',
    'Compute use',
    'utilisation',
    'neutral',
    'FLOPs needed ÷ (peak FLOP/s × time), while busy',
  ),
  fraction(
    'memory_util',
    'Memory use',
    'utilisation',
    'neutral',
    'Bytes needed from device memory ÷ (peak bandwidth × time), while busy',
  ),
  fraction(
    'link_util',
    'Link use',
    'utilisation',
    'neutral',
    'Bytes sent over a link ÷ (its bandwidth × time)',
  ),
  fraction(
    'good_share',
    'SLO attainment',
    'service',
    'higher',
    'Requests that met every SLO given ÷ requests arrived',
  ),
  gauge(
    'flop_per_s',
    'Arithmetic rate',
    'FLOP/s',
    'utilisation',
    'quantity',
    'higher',
    'Floating-point operations per second',
  ),
  gauge(
    'cost_usd',
    'Cost',
    'USD',
    'service',
    'quantity',
    'lower',
    'Σ over instances of hourly cost × hours of the run',
  ),

  // GPU telemetry. Shares are fractions 0..1 like everywhere else: a driver's per cent is divided by 100 where it comes in.
  gpuShare(
    'kernel_resident',
    'Kernel resident',
    'Share of the driver’s window in which at least one kernel was on the GPU; one block on one SM counts as all of it: not SM use',
  ),
  gpuShare(
    'memory_busy',
    'Memory busy',
    'Share of the driver’s window in which device memory was touched at all: not bandwidth',
  ),
  gpuShare(
    'graphics_util',
    'Engine active',
    'Share of time in which any compute or graphics work was active',
  ),
  gpuShare('sm_util', 'SM use', 'Mean share of SMs that had at least one warp, since the last sample'),
  gpuShare('sm_occupancy', 'SM occupancy', 'Resident warps ÷ the most that the SMs can hold'),
  gpuShare('tensor_util', 'Tensor pipe', 'Share of SM cycles in which any tensor pipe was active'),
  gpuShare(
    'hmma_util',
    'Tensor pipe, FP16/BF16/FP8',
    'Share of SM cycles in which the HMMA tensor pipe was active',
  ),
  gpuShare(
    'imma_util',
    'Tensor pipe, integer',
    'Share of SM cycles in which the IMMA tensor pipe was active',
  ),
  gpuShare('dfma_util', 'Tensor pipe, FP64', 'Share of SM cycles in which the DFMA tensor pipe was active'),
  gpuShare('fp64_util', 'FP64 pipe', 'Share of SM cycles with non-tensor FP64 arithmetic'),
  gpuShare('fp32_util', 'FP32 pipe', 'Share of SM cycles with non-tensor FP32 arithmetic'),
  gpuShare('fp16_util', 'FP16 pipe', 'Share of SM cycles with non-tensor FP16 arithmetic'),
  gpuShare('integer_util', 'Integer pipe', 'Share of SM cycles with integer arithmetic'),
  gpuShare(
    'dram_util',
    'DRAM bandwidth',
    'Bytes read and written ÷ the most that device memory could move in that time (theoretical peak)',
  ),
  gauge('memory_used_bytes', 'Memory used', 'bytes', 'gpu', 'bytes', 'neutral', 'Device memory allocated'),
  gauge(
    'memory_free_bytes',
    'Memory free',
    'bytes',
    'gpu',
    'bytes',
    'neutral',
    'Device memory not allocated',
  ),
  gauge(
    'memory_reserved_bytes',
    'Memory reserved',
    'bytes',
    'gpu',
    'bytes',
    'neutral',
    'Device memory the driver keeps for itself',
  ),
  bytesPerSecond('pcie_rx_bytes_per_s', 'PCIe received', 'Bytes received over PCIe per second'),
  bytesPerSecond('pcie_tx_bytes_per_s', 'PCIe sent', 'Bytes sent over PCIe per second'),
  bytesPerSecond('nvlink_rx_bytes_per_s', 'NVLink received', 'Bytes received over all NVLinks per second'),
  bytesPerSecond('nvlink_tx_bytes_per_s', 'NVLink sent', 'Bytes sent over all NVLinks per second'),
  gauge('power_w', 'Power', 'W', 'gpu', 'quantity', 'lower', 'Board power at the moment of reading'),
  gauge(
    'power_average_w',
    'Power, average',
    'W',
    'gpu',
    'quantity',
    'lower',
    'Board power averaged by the driver over one second',
  ),
  gauge(
    'power_limit_w',
    'Power limit',
    'W',
    'gpu',
    'quantity',
    'neutral',
    'Board power at which the driver throttles',
  ),
  {
    ...counter('energy_j', 'Energy', 'J', 'Energy used by the board, since the driver was loaded'),
    format: 'quantity',
  },
  gauge('temperature_c', 'Temperature', '°C', 'gpu', 'quantity', 'lower', 'GPU core temperature'),
  gauge(
    'memory_temperature_c',
    'Memory temperature',
    '°C',
    'gpu',
    'quantity',
    'lower',
    'Device memory temperature',
  ),
  gauge(
    'sm_clock_mhz',
    'SM clock',
    'MHz',
    'gpu',
    'quantity',
    'higher',
    'Clock of the SMs at the moment of reading',
  ),
  gauge(
    'memory_clock_mhz',
    'Memory clock',
    'MHz',
    'gpu',
    'quantity',
    'higher',
    'Clock of device memory at the moment of reading',
  ),
  {
    ...counter(
      'throttle_reasons',
      'Throttle reasons',
      'count',
      'Bit set of the driver’s current reasons to hold clocks down; 0 = none',
    ),
    kind: 'gauge',
  },
  counter('ecc_corrected', 'ECC corrected', 'count', 'Memory errors corrected, since the driver was loaded'),
  counter(
    'ecc_uncorrected',
    'ECC uncorrected',
    'count',
    'Memory errors not corrected, since the driver was loaded',
  ),
  counter('remapped_rows', 'Remapped rows', 'count', 'Rows of device memory replaced by spares'),

  // The machine that measures: when these are high, the figures beside them are suspect.
  fraction('client_cpu', 'Client CPU', 'client', 'lower', 'CPU time of the load generator ÷ time'),
  {
    ...latency('client_loop_lag_ms', 'Client loop lag', 'How late timers fire in the load generator'),
    group: 'client',
  },
];

export type Statistic = 'mean' | 'min' | 'p50' | 'p90' | 'p95' | 'p99' | 'max';
const statistics: ReadonlySet<string> = new Set<Statistic>([
  'mean',
  'min',
  'p50',
  'p90',
  'p95',
  'p99',
  'max',
]);
const isStatistic = (text: string): text is Statistic => statistics.has(text);

const byId: ReadonlyMap<string, Metric> = new Map(metrics.map((m) => [m.id, m]));

/** The metric of an id, with or without a statistic behind a dot (`ttft_ms.p95`); undefined where the registry does not know it. */
export function findMetric(
  id: string,
): { readonly metric: Metric; readonly statistic?: Statistic } | undefined {
  const whole = byId.get(id);
  if (whole !== undefined) return { metric: whole };
  const dot = id.lastIndexOf('.');
  if (dot < 0) return undefined;
  const metric = byId.get(id.slice(0, dot));
  const suffix = id.slice(dot + 1);
  return metric !== undefined && isStatistic(suffix) ? { metric, statistic: suffix } : undefined;
}

/** The metric of an id that the program itself wrote: an id that is not in the registry is a mistake in the program. */
export function metricOf(id: string): Metric {
  const found = findMetric(id);
  if (found === undefined) throw new RangeError(`no metric "${id}" in the registry`);
  return found.metric;
}

/** `TTFT p95`, `Goodput`; the id itself where the registry does not know it. */
export function metricLabel(id: string): string {
  const found = findMetric(id);
  if (found === undefined) return id;
  return found.statistic === undefined ? found.metric.label : `${found.metric.label} ${found.statistic}`;
}
