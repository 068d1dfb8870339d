import type { CostSpec } from '../harness/spec.ts';
import { quantile } from '../metrics/percentile.ts';
import { findModel } from '../model/models.ts';
import { type CostModel, IterationShape } from '../sim/costModel.ts';
import { OperatorCost } from '../sim/operatorCost.ts';
import type { OperatorTables } from '../sim/operatorTables.ts';
import { RooflineCost } from '../sim/rooflineCost.ts';
import { InputError } from '../traffic/traffic.ts';
import type { Fraction } from '../units.ts';
import {
  type EngineSettings,
  type MeasuredRequest,
  measuredLatencies,
  replaySpec,
  trafficOf,
} from './measuredRun.ts';
import { nelderMead } from './nelderMead.ts';
import { replay } from './replay.ts';

type Roofline = Extract<CostSpec, { kind: 'roofline' }>;

/** How good a fit is where it was not fitted: |predicted ÷ measured − 1| of one phase. */
export interface PhaseFit {
  readonly phase: string;
  readonly points: number;
  readonly median: Fraction;
  readonly p90: Fraction;
}

export interface Calibration {
  /** Goes into a run spec as an instance's `cost`. */
  readonly cost: Roofline;
  readonly fitted: readonly PhaseFit[];
  readonly heldOut: readonly PhaseFit[];
}

/** A comparison of one point; `held` points are never fitted to. */
interface Point {
  readonly phase: string;
  readonly held: boolean;
  readonly measured: number;
}

const bounds = [
  { low: 0.05, high: 1, start: 0.6 },
  { low: 0.05, high: 1, start: 0.7 },
  { low: 0, high: 20_000, start: 500 },
];

function fitRoofline(
  gpu: string,
  tensorParallel: number,
  points: readonly Point[],
  predict: (cost: Roofline) => ArrayLike<number>,
  steps: number,
): Calibration {
  const spec = ([compute = 1, memory = 1, overhead = 0]: readonly number[]): Roofline => ({
    kind: 'roofline',
    gpu,
    tensor_parallel: tensorParallel,
    compute_efficiency: compute,
    memory_efficiency: memory,
    iteration_overhead_us: overhead,
  });
  const { point } = nelderMead(
    (candidate) => {
      const predicted = predict(spec(candidate));
      let sum = 0;
      points.forEach(({ held, measured }, i) => {
        if (!held) sum += Math.abs(Math.log((predicted[i] ?? 0) / measured));
      });
      return sum;
    },
    bounds,
    steps,
  );
  const cost = spec(point);
  const predicted = predict(cost);
  const quality = (held: boolean): PhaseFit[] =>
    [...new Set(points.map(({ phase }) => phase))].map((phase) => {
      const errors = points.flatMap((p, i) =>
        p.held === held && p.phase === phase ? [Math.abs((predicted[i] ?? 0) / p.measured - 1)] : [],
      );
      return { phase, points: errors.length, median: quantile(errors, 0.5), p90: quantile(errors, 0.9) };
    });
  return { cost, fitted: quality(false), heldOut: quality(true) };
}

/** Passes of every kind that a batch can be: what the tables say of them is what the roofline is fitted to. */
function passes(): { readonly phase: string; readonly shape: IterationShape }[] {
  const list: { phase: string; shape: IterationShape }[] = [];
  const add = (phase: string, chunk: number, before: number, sequences: number, context: number): void => {
    const shape = new IterationShape();
    shape.prefillTokens = chunk;
    shape.prefillPairs = chunk * before + (chunk * (chunk + 1)) / 2;
    shape.prefillContextTokens = chunk === 0 ? 0 : before + chunk;
    shape.prefillSequences = chunk === 0 ? 0 : 1;
    shape.prefillEnds = chunk === 0 ? 0 : 1;
    shape.decodeSequences = sequences;
    shape.decodeContextTokens = sequences * context;
    list.push({ phase, shape });
  };
  for (const chunk of [32, 64, 128, 256, 512, 1024, 2048])
    for (const before of [0, 512, 2048, 8192]) add('prefill', chunk, before, 0, 0);
  for (const sequences of [1, 2, 4, 8, 16, 32, 64, 128])
    for (const context of [128, 512, 1024, 2048, 8192]) add('decode', 0, 0, sequences, context);
  for (const chunk of [128, 512, 1536])
    for (const sequences of [4, 16, 64, 128])
      for (const context of [512, 1024, 2048]) add('mixed', chunk, 0, sequences, context);
  return list;
}

/** Fits to measured operators of `model` on the card; every second pass is held out. */
export function calibrateToTables(
  gpu: string,
  modelId: string,
  tensorParallel: number,
  tables: OperatorTables,
  steps = 200,
): Calibration {
  const model = findModel(modelId);
  if (model === undefined) throw new InputError(`--model: no model "${modelId}" in the list of shapes`);
  const reference: CostModel = new OperatorCost(
    {
      kind: 'operators',
      path: tables.name,
      sha256: ''.padStart(64, '0'),
      tensor_parallel: 1,
      iteration_overhead_us: 0,
      skew: 0,
      graph_tokens: 512,
    },
    model,
    tables,
  );
  const all = passes();
  const points = all.map(({ phase, shape }, i) => ({
    phase,
    held: i % 2 === 1,
    measured: reference.iterationNs(shape),
  }));
  const predict = (cost: Roofline): number[] => {
    const roofline = new RooflineCost(cost, model);
    return all.map(({ shape }) => roofline.iterationNs(shape));
  };
  return fitRoofline(gpu, tensorParallel, points, predict, steps);
}

/** Fits to the requests of a measured run, served again with the engine's own settings; every second request is held out. */
export function calibrateToRun(
  gpu: string,
  tensorParallel: number,
  settings: Omit<EngineSettings, 'cost'>,
  requests: readonly MeasuredRequest[],
  steps = 80,
): Calibration {
  const traffic = trafficOf('measured run', requests);
  const metrics = ['ttft', 'tpot'] as const;
  const kept: { readonly r: number; readonly metric: (typeof metrics)[number] }[] = [];
  const points: Point[] = [];
  requests.forEach((request, r) => {
    const latencies = measuredLatencies(request);
    for (const metric of metrics) {
      if (!(latencies[metric] > 0)) continue;
      kept.push({ r, metric });
      points.push({ phase: metric, held: r % 2 === 1, measured: latencies[metric] });
    }
  });
  const predict = (cost: Roofline): number[] => {
    const simulated = replay(replaySpec({ ...settings, cost }), traffic);
    return kept.map(({ r, metric }) => simulated[r]?.[metric] ?? 0);
  };
  return fitRoofline(gpu, tensorParallel, points, predict, steps);
}
