import { findModel } from '../../workloads/model/models.ts';
import type { RunSpec } from '../../workloads/run/spec.ts';

/** One line for each model of the specs that is not wholly modelled. */
export function modelNotes(specs: readonly RunSpec[]): string[] {
  const ids = specs.flatMap(({ cluster }) => [
    cluster.model,
    ...cluster.instances.flatMap(({ model }) => model ?? []),
  ]);
  return [...new Set(ids)].flatMap((id) => {
    const model = findModel(id);
    return model?.unmodelled === undefined ? [] : [`${model.label}: ${model.unmodelled}`];
  });
}
