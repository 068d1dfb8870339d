import { RooflineCost } from '../../cost/rooflineCost.ts';
import { findGpu } from '../../hardware/gpus.ts';
import { draftShape } from '../../model/draft.ts';
import { findModel } from '../../model/models.ts';
import type { ModelShape } from '../../model/shape.ts';
import type { CostSpec } from '../../run/costSpec.ts';
import { InputError } from '../../run/inputError.ts';
import { type InstanceSpec, modelled } from '../../run/instanceSpec.ts';
import type { ClusterSpec, RunSpec } from '../../run/spec.ts';
import { Acceptance } from '../../serving/techniques/acceptance.ts';
import { Confidence } from '../../serving/techniques/confidence.ts';
import type { TechniqueFactory } from '../../serving/techniques/decodeTechnique.ts';
import { EarlyExit } from '../../serving/techniques/earlyExit.ts';
import { GuidedDecoding } from '../../serving/techniques/guidedDecoding.ts';
import { Speculation } from '../../serving/techniques/speculation.ts';

const shapeNamed = (id: string, where: string): ModelShape => {
  const model = findModel(id);
  if (model === undefined) throw new InputError(`${where}: no model "${id}" in the list of shapes`);
  return model;
};

type Roofline = Extract<CostSpec, { kind: 'roofline' }>;

const described = (cost: CostSpec): string =>
  cost.kind !== 'roofline'
    ? `of kind ${cost.kind}`
    : cost.moe !== undefined
      ? 'a roofline of placed experts'
      : cost.pipeline !== undefined
        ? 'a roofline of pipeline stages'
        : 'a roofline';

function rooflineOf(cluster: ClusterSpec, instance: InstanceSpec): Roofline {
  const { cost } = modelled(instance);
  if (cost.kind === 'roofline' && cost.moe === undefined && cost.pipeline === undefined) return cost;
  throw new InputError(
    `cluster.technique: ${cluster.technique?.kind} on instance ${instance.name}, whose cost is ${described(cost)}; expected a plain roofline, which can price what was never measured`,
  );
}

/** What the decoding of one instance does beyond one token per pass; undefined where nothing. Throws InputError. */
export function techniqueOf(
  spec: RunSpec,
  instance: InstanceSpec,
  replicate: number,
  requests: number,
): TechniqueFactory | undefined {
  const { cluster, seed } = spec;
  const { technique } = cluster;
  if (technique === undefined) return undefined;
  const cost = rooflineOf(cluster, instance);
  const id = instance.model ?? cluster.model;
  const model = shapeNamed(id, 'cluster.model');
  const target = RooflineCost.forModel(cost, id, cluster.kv.quantisation);
  switch (technique.kind) {
    case 'speculation': {
      const shape = draftShape(technique.draft, model);
      const draft =
        shape === undefined
          ? undefined
          : new RooflineCost({ ...cost, iteration_overhead_us: technique.draft.overhead_us }, shape);
      return (view) =>
        new Speculation(
          technique,
          target,
          draft,
          new Acceptance(technique.acceptance, seed, replicate, requests),
          view,
        );
    }
    case 'early_exit':
      return (view) => new EarlyExit(technique, target, new Confidence(technique, seed, replicate), view);
    case 'guided': {
      const gpu = findGpu(cost.gpu);
      if (gpu === undefined) throw new InputError(`cluster: no GPU "${cost.gpu}" in the data sheets`);
      const path = {
        vocabulary: model.vocabulary,
        // Data sheets count both directions.
        hostToDevice: gpu.pcie / 2,
        memory: gpu.memoryBandwidth * cost.memory_efficiency,
      };
      return (view) => new GuidedDecoding(technique, target, path, seed, replicate, view);
    }
    default: {
      const never: never = technique;
      return never;
    }
  }
}

/** What would make a technique impossible, said before the run starts. Throws InputError. */
export function checkTechnique({ cluster, timeline = [] }: RunSpec): void {
  const { technique, scheduler, kv } = cluster;
  if (kv.quantisation !== undefined) {
    const other = cluster.instances.map(modelled).find(({ cost }) => described(cost) !== 'a roofline');
    if (other !== undefined) {
      throw new InputError(
        `cluster.kv.quantisation: instance ${other.name} has a cost ${described(other.cost)}, which does not know what KV is stored in; expected a plain roofline`,
      );
    }
  }
  if (technique === undefined) return;
  for (const instance of cluster.instances) rooflineOf(cluster, instance);
  const unpriced =
    scheduler.host !== undefined
      ? 'cluster.scheduler.host'
      : timeline.some(({ event }) => event === 'slow')
        ? 'timeline: a slow instance'
        : undefined;
  if (unpriced !== undefined) {
    throw new InputError(
      `${unpriced} together with cluster.technique ${technique.kind}, which times its passes itself; expected one of the two`,
    );
  }
  if (technique.kind === 'speculation') {
    const tokens = scheduler.max_sequences * (technique.length + 1);
    if (tokens > scheduler.max_batched_tokens) {
      throw new InputError(
        `cluster.technique.length: ${technique.length} drafted tokens and one more for ${scheduler.max_sequences} sequences are ${tokens} tokens, expected at most max_batched_tokens ${scheduler.max_batched_tokens}`,
      );
    }
    draftShape(technique.draft, shapeNamed(cluster.model, 'cluster.model'));
  }
  if (technique.kind === 'early_exit') {
    technique.exits.forEach((exit, i) => {
      if (i > 0 && exit <= (technique.exits[i - 1] ?? 0)) {
        throw new InputError(
          `cluster.technique.exits: ${technique.exits.join(', ')}, expected each above the one before it`,
        );
      }
    });
  }
}
