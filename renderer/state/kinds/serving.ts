import { enginesOf } from '../../../workloads/catalog/enginesOf.ts';
import type { Target } from '../../../workloads/catalog/target.ts';
import { formatMetric } from '../../../workloads/metrics/format.ts';
import { serverText } from '../../../workloads/run/serverAddress.ts';
import { shellWord } from '../../../workloads/run/shellWord.ts';
import type { Summary } from '../../../workloads/run/summary.ts';
import { specOf } from '../servingSpec.ts';
import type { TargetKind } from './runKind.ts';

const requestsOf = (requests: number) => `${formatMetric('arrived', requests)} requests`;

/** Runs that answer requests. */
export const serving: TargetKind<Target> = {
  id: 'serving',
  table: 'requests',
  hasRouter: true,
  defaultIterations: 1,
  sparkTitle: 'TTFT p95 over time',
  sparkSeries: ({ variant }) => [{ source: 'cluster', metric: 'ttft_ms.p95', variant }],
  size: ({ requests }) => (requests === undefined ? '' : requestsOf(requests)),
  label: ({ variant, requests }) => `${variant} · ${requestsOf(requests ?? Number.NaN)}`,
  comparesItself: () => false,
  reportsAlone: () => false,
  canReplay: (engine) => engine === 'sim',
  pace: (chosen) => chosen,
  needsGpu: false,
  detail: (summary) => ({ summary: isSummary(summary) ? summary : undefined, kernels: undefined }),
  engines: enginesOf,
  specs: (target, variants, values) => variants.map((variant) => specOf(target, variant, values)),
  words: ({ engine, servers = [] }) => [
    ...['--engine', engine],
    ...(engine === 'http' ? servers.flatMap((server) => ['--server', shellWord(serverText(server))]) : []),
  ],
  countedRange: () => undefined,
  captured: (values) => values,
};

const isSummary = (value: unknown): value is Summary =>
  typeof value === 'object' && value !== null && 'metrics' in value && 'per_instance' in value;
