import { findGpu } from '../../../workloads/hardware/gpus.ts';
import { withKvQuantisation } from '../../../workloads/model/kvQuantisation.ts';
import { findModel } from '../../../workloads/model/models.ts';
import { type Ceilings, dataSheetCeilings } from '../../../workloads/roofline/ceilings.ts';
import {
  type InstanceSetting,
  iterationPoints,
  type PassGroup,
} from '../../../workloads/roofline/iterations.ts';
import type { RooflinePoint } from '../../../workloads/roofline/point.ts';
import { type Assessment, assess } from '../../../workloads/roofline/roof.ts';
import type { InstanceSpec } from '../../../workloads/run/instanceSpec.ts';
import type { ClusterSpec } from '../../../workloads/run/spec.ts';
import { requireServing } from '../../shared/kinds/runKind.ts';
import { readManifest } from '../store/manifest.ts';
import { badFile } from './captureError.ts';
import { GrowingColumn } from './nsys/growingColumn.ts';
import { bundleTables } from './trace/bundleTables.ts';

/** A run bundle's passes as points, each under the data sheet of its instance's card. */
export interface SimulatedRoofline {
  readonly title: string;
  /** The id of its model's shape. */
  readonly model: string;
  readonly points: readonly {
    readonly point: RooflinePoint;
    readonly ceilings: Ceilings;
    readonly assessment: Assessment | undefined;
  }[];
}

const columns = [
  'instance',
  'start_ns',
  'end_ns',
  'passes',
  'prefill_tokens',
  'decode_sequences',
  'context_tokens',
] as const;

/** The card and the shape of an instance's passes. Throws where no card or shape is named. */
export function cardOfInstance(folder: string, cluster: ClusterSpec, instance: InstanceSpec) {
  const { name } = instance;
  if (instance.serves !== 'modelled')
    throw badFile(folder, `instance ${name} was served by a ${instance.serves}: nothing in it was simulated`);
  const { cost } = instance;
  const id = instance.model ?? cluster.model;
  const known = findModel(id);
  if (known === undefined) throw badFile(folder, `the model "${id}" of instance ${name} has no known shape`);
  // Fixed rates, as the published lab has them, tables and coefficients name no card: such a run has no roof.
  if (cost.kind !== 'roofline')
    throw badFile(folder, `instance ${name} has a cost of kind ${cost.kind}, which names no card`);
  const gpu = findGpu(cost.gpu);
  if (gpu === undefined) throw badFile(folder, `its card "${cost.gpu}" has no data sheet`);
  const { quantisation } = cluster.kv;
  const model = quantisation === undefined ? known : withKvQuantisation(known, quantisation);
  const { moe, pipeline, tensor_parallel: tensorParallel } = cost;
  const ranks = moe === undefined ? 1 : moe.ranks / tensorParallel;
  const group: PassGroup | undefined =
    pipeline !== undefined
      ? { name: pipeline.line, parts: pipeline.stages }
      : moe !== undefined
        ? {
            name: moe.group,
            parts: ranks,
            experts: { ranks, skew: moe.gate.kind === 'zipf' ? moe.gate.skew : 0 },
          }
        : undefined;
  const { technique } = cluster;
  const setting: InstanceSetting = {
    model,
    tensorParallel,
    ...(group === undefined ? {} : { group }),
    ...(technique?.kind === 'early_exit' ? { leastDepth: Math.min(...technique.exits) } : {}),
  };
  return { ceilings: dataSheetCeilings(gpu), setting };
}

export async function simulatedRoofline(folder: string): Promise<SimulatedRoofline> {
  const { spec: anySpec, title } = await readManifest(folder);
  const spec = requireServing(anySpec, folder);
  const cards = spec.cluster.instances.map((instance) => cardOfInstance(folder, spec.cluster, instance));
  const cardOf = (instance: number) => {
    const card = cards[instance];
    if (card === undefined)
      throw badFile(folder, `an iteration names instance ${instance} of ${cards.length}`);
    return card;
  };
  const grown = columns.map(() => new GrowingColumn());
  for await (const rows of bundleTables(folder).iterations()) {
    columns.forEach((name, c) => {
      const values = rows.numbers(name);
      for (let i = 0; i < rows.rows; i += 1) grown[c]?.push(values?.[i] ?? Number.NaN);
    });
  }
  const [instance, startNs, endNs, passes, prefillTokens, decodeSequences, contextTokens] = grown.map(
    (column) => column.finish(),
  );
  const empty = new Float64Array(0);
  const points = iterationPoints(
    {
      rows: instance?.length ?? 0,
      instance: instance ?? empty,
      startNs: startNs ?? empty,
      endNs: endNs ?? empty,
      passes: passes ?? empty,
      prefillTokens: prefillTokens ?? empty,
      decodeSequences: decodeSequences ?? empty,
      contextTokens: contextTokens ?? empty,
    },
    (index) => cardOf(index).setting,
  );
  return {
    title: `${title} · ${spec.variant}`,
    model: spec.cluster.model,
    points: points.map((point) => {
      const { ceilings } = cardOf(Number(point.id.split(':')[1]));
      return { point, ceilings, assessment: assess(point, ceilings) };
    }),
  };
}
