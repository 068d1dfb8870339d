import { type CostModel, IterationShape } from '../cost/costModel.ts';
import { OperatorCost } from '../cost/operatorCost.ts';
import type { OperatorTables } from '../cost/operatorTables.ts';
import { findModel } from '../model/models.ts';
import { InputError } from '../run/inputError.ts';
import type { GroupLinkSpec, MoeSpec } from '../run/moeSpec.ts';
import {
  type Calibration,
  type FitKind,
  fitCost,
  fitToPasses,
  type Point,
  type RooflineSpec,
  rooflineForm,
} from './fitCost.ts';
import {
  type EngineSettings,
  type MeasuredRequest,
  measuredLatencies,
  replaySpec,
  trafficOf,
} from './measuredRun.ts';
import { replay } from './replay.ts';

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

/**
 * Fits to measured operators of `model` on the card; every second pass is held out. The tables leave out all-reduces: of a group they
 * are added over `link`, since the fitted roofline has them too. Throws InputError where a group has no link.
 */
export function calibrateToTables(
  gpu: string,
  modelId: string,
  tensorParallel: number,
  tables: OperatorTables,
  fit: FitKind = 'roofline',
  steps = 200,
  link?: GroupLinkSpec,
): Calibration {
  const model = findModel(modelId);
  if (model === undefined) throw new InputError(`--model: no model "${modelId}" in the list of shapes`);
  if (tensorParallel > 1 && link === undefined) {
    throw new InputError(
      '--tensor-parallel above 1 with --tables needs --link-gb-per-s: the tables leave out all-reduces, and a fit without them is wrong wherever the group talks',
    );
  }
  const reference: CostModel = new OperatorCost(
    {
      kind: 'operators',
      path: tables.name,
      sha256: ''.padStart(64, '0'),
      tensor_parallel: tensorParallel,
      ...(link === undefined ? {} : { all_reduce: link }),
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
  return fitToPasses(
    fit,
    { gpu, tensorParallel, model },
    all.map(({ shape }) => shape),
    points,
    steps,
  );
}

/** Fits to the requests of a measured run, served again with the engine's own settings; every second request is held out. */
export function calibrateToRun(
  gpu: string,
  tensorParallel: number,
  settings: Omit<EngineSettings, 'cost'>,
  requests: readonly MeasuredRequest[],
  steps = 80,
  experts?: MoeSpec,
): Calibration {
  const withExperts = <T extends Calibration['cost']>(cost: T): T =>
    experts === undefined || cost.kind !== 'roofline' ? cost : { ...cost, moe: experts };
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
  const predict = (cost: RooflineSpec): number[] => {
    const simulated = replay(replaySpec({ ...settings, cost: withExperts(cost) }), traffic);
    return kept.map(({ r, metric }) => simulated[r]?.[metric] ?? 0);
  };
  const calibration = fitCost(rooflineForm(gpu, tensorParallel), points, predict, steps);
  return { ...calibration, cost: withExperts(calibration.cost) };
}
