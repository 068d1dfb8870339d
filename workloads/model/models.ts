import { modelFromConfig } from './config.ts';
import { builtInModels } from './configs.ts';
import type { ModelShape } from './shape.ts';

/** Shapes of the built-in models, in the order of lists. */
export const models: readonly ModelShape[] = builtInModels.map(({ id, label, repository, config }) =>
  modelFromConfig(config, `${repository}/config.json`, { id, label, source: `config.json of ${repository}` }),
);

const builtIn = new Map(models.map((model) => [model.id, model]));

/** Shapes that run specs brought along (`model` option with a file); an id means one shape for the life of the process. */
const declared = new Map<string, ModelShape>();

/** Makes a shape from a file known by its id, `file:…`. A run spec declares what it holds before its cluster is built. */
export function declareModel(shape: ModelShape): void {
  declared.set(shape.id, shape);
}

/** Declares the shapes that a spec holds. */
export function declareModels(spec: { readonly models?: readonly ModelShape[] | undefined }): void {
  for (const shape of spec.models ?? []) declareModel(shape);
}

/** The declared shapes among these ids, for the spec that names them; undefined where all are built in. */
export function declaredAmong(ids: Iterable<string>): ModelShape[] | undefined {
  const shapes = [...new Set(ids)].flatMap((id) => declared.get(id) ?? []);
  return shapes.length === 0 ? undefined : shapes;
}

export const findModel = (id: string): ModelShape | undefined => builtIn.get(id) ?? declared.get(id);

export const isBuiltIn = (id: string): boolean => builtIn.has(id);
