import { z } from 'zod';
import { declareModels } from '../../../workloads/model/models.ts';
import { type RunSpec, runSpec } from '../../../workloads/run/spec.ts';
import { traceWords } from '../../../workloads/run/traceWords.ts';
import { pinOperatorTables } from '../operatorSource.ts';
import { parsedHead } from './parsedHead.ts';
import type { RunKind } from './runKind.ts';

const settings = (spec: RunSpec): string[] => [
  ...(spec.traffic.kind === 'trace' ? traceWords(spec.traffic) : []),
  ...Object.entries(spec.parameters).flatMap(([name, value]) => ['--set', `${name}=${value}`]),
  ...(spec.seed === 0 ? [] : ['--seed', String(spec.seed)]),
  ...(spec.iterations === 1 ? [] : ['--iterations', String(spec.iterations)]),
];

const figure = z.object({ p50: z.number().optional(), p95: z.number().optional() }).optional();
/** A rebuilt summary may lack any of these. */
const head = z.looseObject({
  /** Only summaries of other kinds name their kind. */
  kind: z.undefined().optional(),
  traffic: z.looseObject({ requests: z.number().optional() }).optional(),
  metrics: z.looseObject({ ttft_ms: figure, tpot_ms: figure }).optional(),
  requests: z.record(z.string(), z.number().optional()).optional(),
  goodput_rps: z.number().optional(),
  quality: z.looseObject({ adequate_share: z.number().optional() }).optional(),
});

/** A run that answers requests: on the simulator, on GPUs, or by servers. */
export const serving: RunKind<RunSpec> = {
  id: 'serving',
  did: 'served requests',
  schema: runSpec,
  graceMs: 150,
  declare: declareModels,
  pinned: pinOperatorTables,
  variants: (spec) => spec.variant,
  hasRemarks: (spec) => spec.engine !== 'sim',
  runWords: (spec) => [
    'run',
    spec.target,
    '--engine',
    spec.engine,
    '--variant',
    spec.variant,
    ...settings(spec),
  ],
  captureWords: (spec) => ['--variant', spec.variant, ...settings(spec)],
  pairWords: (a, b) => {
    const isPair = a.variant === 'baseline' && b.variant === 'optimized';
    return [
      'bench',
      a.target,
      '--engine',
      a.engine,
      ...(isPair ? [] : ['--variant', `${a.variant},${b.variant}`]),
      ...settings(a),
    ];
  },
  headline: (summary) => {
    const { traffic, metrics, requests, goodput_rps: goodput } = parsedHead(head, summary);
    const arrived = traffic?.requests ?? requests?.['arrived'];
    const rejected = requests?.['rejected'];
    const { ttft_ms: ttft, tpot_ms: tpot } = metrics ?? {};
    return {
      ...(arrived === undefined ? {} : { requests: arrived }),
      headline: {
        ...(ttft?.p50 === undefined ? {} : { ttft_p50_ms: ttft.p50 }),
        ...(ttft?.p95 === undefined ? {} : { ttft_p95_ms: ttft.p95 }),
        ...(tpot?.p50 === undefined ? {} : { tpot_p50_ms: tpot.p50 }),
        ...(goodput === undefined ? {} : { goodput_rps: goodput }),
        ...(rejected === undefined ? {} : { rejected }),
      },
    };
  },
};
