// For tests and for looking at the report: figures that were not measured. They have the shape of the router lab's (a baseline
// that drowns in a burst, an optimized variant that does not), drawn from seeded streams.

import { cdf, distribution } from '../../../workloads/metrics/percentile.ts';
import { stream } from '../../../workloads/run/random.ts';
import type { InstanceSummary, Summary } from '../../../workloads/run/summary.ts';
import type { Comparison, RunInfo, SeriesResult } from '../../contract/protocol.ts';
import type { ReportInput, ReportRun } from './reportInput.ts';

export interface MadeUp {
  readonly instances?: number;
  readonly requests?: number;
  readonly simulated?: boolean;
  readonly instanceName?: (index: number) => string;
  /** SLO on TTFT, ms; none when null. */
  readonly sloMs?: number | null;
}

const minutes = 60_000;
const durationMs = 58 * minutes;

export function madeUpRun(variant: string, slow: number, options: MadeUp = {}): ReportRun {
  const { instances = 6, requests = 12_031, simulated = true, sloMs = 2000 } = options;
  const name = options.instanceName ?? ((i) => `h200-${i}`);
  const random = stream(7, `made-up ${variant}`);
  const noise = random.fork('series');
  const latencies = (median: number, sigma: number) =>
    Float64Array.from({ length: requests }, () => median * slow * Math.exp(sigma * random.gaussian()));
  const ttft = latencies(410, 1.1);
  const tpot = latencies(18, 0.3);
  const good = sloMs === null ? undefined : ttft.filter((v) => v <= sloMs).length;
  const pool = (i: number): InstanceSummary['pool'] =>
    instances === 1 ? 'mixed' : i < instances / 3 ? 'prefill' : 'decode';
  const share = Array.from(
    { length: instances },
    (_, i) => 1 + (slow > 1 ? 0.6 * Math.sin(i * 2.1) : 0.08 * Math.sin(i)),
  );
  const total = share.reduce((a, b) => a + b, 0);
  const rejected = Math.round(requests * 0.004 * (slow - 0.5));
  const metrics = {
    ttft_ms: distribution(ttft),
    tpot_ms: distribution(tpot),
    e2e_ms: distribution(ttft.map((v, i) => v + 250 * (tpot[i] ?? 0))),
    queue_ms: distribution(ttft.map((v) => Math.max(0, v - 180 * slow))),
    itl_ms: distribution(tpot),
  };
  const summary: Summary = {
    schema: 1,
    target: 'labs/dynamic_router:dynamic_router',
    variant,
    engine: simulated ? 'sim' : 'cuda',
    simulated,
    seed: 1,
    iterations: 1,
    traffic: {
      name: 'mooncake-conversation.jsonl',
      requests,
      prompt_tokens: requests * 12_035,
      output_tokens: requests * 343,
      block_refs: requests * 24,
      duration_s: durationMs / 1000,
    },
    metrics: Object.fromEntries(
      Object.entries(metrics).filter(([, d]) => d !== undefined),
    ) as Summary['metrics'],
    requests: {
      arrived: requests,
      admitted: requests - rejected,
      rejected,
      completed: requests - rejected,
      unfinished: 0,
      preempted: Math.round(40 * slow),
      migrated: slow > 1 ? 0 : 212,
    },
    kv: {
      block_refs: requests * 24,
      hits: Math.round(requests * 24 * (slow > 1 ? 0.23 : 0.366)),
      hit_rate: slow > 1 ? 0.23 : 0.366,
      hit_tokens: requests * 24 * 160,
      evictions: 51_200,
      transfers: slow > 1 ? 0 : 11_980,
      transfer_bytes: slow > 1 ? 0 : 3.2e13,
    },
    ...(good === undefined ? {} : { goodput_rps: good / (durationMs / 1000), good_requests: good }),
    throughput_rps: requests / (durationMs / 1000),
    output_tokens_per_s: 1180,
    prompt_tokens_per_s: 41_600,
    makespan_s: durationMs / 1000,
    balance: {
      request_imbalance: Math.max(...share) / (total / instances),
      token_imbalance: Math.max(...share) / (total / instances) + 0.04,
    },
    per_instance: share.map((s, i) => ({
      instance: i,
      name: name(i),
      pool: pool(i),
      prefills: pool(i) === 'decode' ? 0 : Math.round((requests * s) / total),
      completed: pool(i) === 'prefill' ? 0 : Math.round((requests * s) / total),
      prompt_tokens: Math.round((requests * 12_035 * s) / total),
      output_tokens: Math.round((requests * 343 * s) / total),
      busy_fraction: Math.min(0.99, 0.62 * s),
      kv_blocks: 18_000,
      kv_peak_fraction: Math.min(1, 0.8 * s),
      block_refs: 48_000,
      hits: 13_000,
      queue_mean: 2.4 * s * slow,
      queue_peak: Math.round(41 * s * slow),
    })),
  };
  const info: RunInfo = {
    run: `2026-11-21T10-12-0${slow > 1 ? 4 : 9}Z-${variant}`,
    group: 'g1',
    target: summary.target,
    title: 'Dynamic prefill/decode router',
    variant,
    kind: 'serving',
    engine: summary.engine,
    status: 'done',
    started: '2026-11-21T10:12:04.000Z',
    wall_s: 0.61,
    requests,
    headline: {},
    tags: [],
    note: '',
    folder: `/runs/${variant}`,
    bytes: 1_200_000,
  };
  return {
    info,
    summary,
    manifest: {
      schema: 1,
      spec: {
        schema: 1,
        target: summary.target,
        variant,
        engine: summary.engine,
        slo: sloMs === null ? {} : { ttft_ms: sloMs, tpot_ms: 40 },
        cluster: {
          model: 'llama-3-70b',
          instances: summary.per_instance.map((x) => ({
            name: x.name,
            pool: x.pool,
            kv_blocks: x.kv_blocks,
          })),
        },
        policy: { router: slow > 1 ? 'round_robin' : 'telemetry_score', router_parameters: {} },
      },
      versions: { dyno: '0.1.0', node: '20.20.2', git: '702c14f' },
      hardware: { cpu: 'AMD EPYC 9B14', cores: 8, memory_bytes: 33_554_432_000, gpus: [] },
    },
    cdf: { ttft_ms: cdf(ttft, 300), tpot_ms: cdf(tpot, 300) },
    series: madeUpSeries(slow, instances, () => noise.gaussian()),
    command: `npm run -s dyno -- run labs/dynamic_router:dynamic_router --variant ${variant} --engine sim --seed 1`,
  };
}

function madeUpSeries(slow: number, instances: number, noise: () => number): SeriesResult[] {
  const width = 240;
  // A burst in the middle; a gap in the samples near the end.
  const load = (i: number) =>
    1 + 2.2 * slow ** 1.5 * Math.exp(-(((i - 120) / 22) ** 2)) + 0.3 * Math.sin(i / 9);
  const series = (
    source: string,
    metric: string,
    value: (i: number) => number,
    wobble: number,
  ): SeriesResult => {
    const points = new Float64Array(width * 4);
    for (let i = 0; i < width; i++) {
      const last = value(i) * Math.exp(wobble * noise());
      const gap = i > 196 && i < 203;
      const swing = Math.abs(wobble * noise());
      points.set(
        gap
          ? [(i * durationMs) / width, Number.NaN, Number.NaN, Number.NaN]
          : [(i * durationMs) / width, last, last * (1 - swing / 2), last * (1 + swing)],
        i * 4,
      );
    }
    return { source, metric, points };
  };
  const pools = instances === 1 ? ['mixed'] : ['prefill', 'decode'];
  return [
    series('cluster', 'ttft_ms.p50', (i) => 350 * slow * load(i), 0.08),
    series('cluster', 'ttft_ms.p95', (i) => 1400 * slow * load(i) ** 1.4, 0.12),
    series('cluster', 'ttft_ms.p99', (i) => 2600 * slow * load(i) ** 1.6, 0.2),
    series('cluster', 'tpot_ms.p50', (i) => 17 * slow ** 0.4 * load(i) ** 0.2, 0.02),
    series('cluster', 'tpot_ms.p95', (i) => 24 * slow ** 0.5 * load(i) ** 0.4, 0.04),
    series('cluster', 'tpot_ms.p99', (i) => 31 * slow ** 0.6 * load(i) ** 0.5, 0.08),
    series('cluster', 'goodput_rps', (i) => 3.4 / slow ** 0.4 / load(i) ** 0.3, 0.06),
    ...pools.flatMap((pool, k) => [
      series(
        `pool:${pool}`,
        'queue_depth',
        (i) => Math.max(0, (load(i) - 1) * (k === 0 ? 30 : 4) * slow),
        0.2,
      ),
      series(`pool:${pool}`, 'kv_used', (i) => Math.min(0.99, (k === 0 ? 0.12 : 0.4) * load(i) ** 0.6), 0.04),
    ]),
  ];
}

export function madeUpComparison(): Comparison {
  const row = (
    metric: string,
    baseline: number,
    ratio: number,
    ci95: [number, number],
    better: 'lower' | 'higher' = 'lower',
  ): Comparison['rows'][number] => {
    const significant = ci95[0] > 1 || ci95[1] < 1;
    const improved = better === 'lower' ? ratio < 1 : ratio > 1;
    return {
      metric,
      baseline,
      optimized: baseline * ratio,
      ratio,
      ci95,
      significant,
      better,
      verdict: !significant ? 'no_evidence' : improved ? 'better' : 'worse',
    };
  };
  return {
    baseline: 'a',
    optimized: 'b',
    verdict:
      'TTFT p95 is 31 % lower (95 % CI 27–35 %); TPOT p95 is 8.1 % higher (95 % CI 5.2–11 %), which is worse; goodput is 12 % higher (95 % CI 10–14 %).',
    rows: [
      row('ttft_ms.mean', 981, 0.702, [0.66, 0.741]),
      row('ttft_ms.p50', 574, 0.688, [0.65, 0.72]),
      row('ttft_ms.p90', 2510, 0.69, [0.651, 0.733]),
      row('ttft_ms.p95', 3820, 0.691, [0.648, 0.731]),
      row('ttft_ms.p99', 8110, 0.71, [0.6, 0.88]),
      row('tpot_ms.p50', 19.8, 1.01, [0.985, 1.035]),
      row('tpot_ms.p95', 33.1, 1.081, [1.052, 1.11]),
      row('e2e_ms.p95', 12_400, 0.93, [0.84, 1.03]),
      row('queue_ms.p95', 2900, 0.12, [0.02, 0.4]),
      row('goodput_rps', 3.02, 1.12, [1.1, 1.14], 'higher'),
      row('throughput_rps', 3.46, 1.0, [0.998, 1.002], 'higher'),
    ],
    method:
      'Paired circular block bootstrap over 12,031 requests in order of arrival: 1000 resamples of 84 blocks of 143 requests, 95 % expanded percentile intervals, seed 1.',
    verification: {
      status: 'passed',
      method: 'Both variants completed the same 12,031 requests with the same token counts.',
    },
    differences: [
      { path: 'policy.router', baseline: 'round_robin', optimized: 'telemetry_score' },
      { path: 'policy.router_parameters.kv_weight', baseline: '–', optimized: '0.35' },
      { path: 'cluster.instances[0].pool', baseline: 'mixed', optimized: 'prefill' },
    ],
    warnings: ['Instance h200-3 took 27 % of all requests in the baseline (an even share is 17 %).'],
  };
}

/** An A/B report of made-up figures. */
export function madeUpReport(options: MadeUp = {}): ReportInput {
  return {
    title: 'Dynamic prefill/decode router: baseline against optimized',
    made: '2026-11-21T10:14:00.000Z',
    version: '0.1.0',
    runs: [madeUpRun('baseline', 1.45, options), madeUpRun('optimized', 0.9, options)],
    comparison: madeUpComparison(),
    command:
      'npm run -s dyno -- bench labs/dynamic_router:dynamic_router --engine sim --trace mooncake-conversation.jsonl --seed 1',
  };
}

export function madeUpSingle(options: MadeUp = {}): ReportInput {
  const run = madeUpRun('optimized', 0.9, options);
  return {
    title: 'Dynamic prefill/decode router',
    made: '2026-11-21T10:14:00.000Z',
    version: '0.1.0',
    runs: [run],
    command: run.command,
  };
}
