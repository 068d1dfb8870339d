import { existsSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { modelFromConfig } from '../../workloads/model/config.ts';
import { isObject } from '../../workloads/model/configFields.ts';
import { declareModel, findModel, models } from '../../workloads/model/models.ts';
import type { ModelShape } from '../../workloads/model/shape.ts';
import { InputError } from '../../workloads/run/inputError.ts';
import { parseJson, readWhole } from './openFile.ts';

/** A configuration of published models has 1 to 20 kB. */
const mostBytes = 16 * 1024 * 1024;

const isFolder = (path: string): boolean => {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
};

/** A word that can only mean a path: it has a slash or ends in .json, or is a folder's name. */
export const looksLikePath = (word: string): boolean =>
  /[\\/]/.test(word) || word.endsWith('.json') || word === '.' || word === '..';

/** A folder with weights beside its config.json. */
export const isModelFolder = (path: string): boolean =>
  isFolder(path) &&
  ['model.safetensors', 'model.safetensors.index.json'].some((name) => existsSync(join(path, name)));

/** The parsed `config.json` of a file or of a model's folder. Throws InputError. */
export function readConfigFile(path: string): { readonly file: string; readonly document: unknown } {
  const file = resolve(isFolder(path) ? join(path, 'config.json') : path);
  const expected = 'a Hugging Face config.json, or a folder with one';
  return { file, document: parseJson(file, readWhole(file, expected, mostBytes).toString('utf8'), expected) };
}

/**
 * The shape that `--model` names: a built-in id, a `config.json`, or a folder with one. A shape from a file is declared, so that specs
 * may name it by its id. `hint` ends the message for an unknown name. Throws InputError.
 */
export function modelNamed(nameOrPath: string, option: string, hint: (ids: string[]) => string): ModelShape {
  const known = findModel(nameOrPath);
  if (known !== undefined) return known;
  if (!looksLikePath(nameOrPath) && !isFolder(nameOrPath)) {
    const ids = models.map(({ id }) => id);
    throw new InputError(
      `${option} ${nameOrPath}: no such model${hint(ids)}; expected one of \`dyno models\`, a config.json or a folder with one`,
    );
  }
  const { file, document } = readConfigFile(nameOrPath);
  const shape = modelFromConfig(document, file);
  const withConfig = isObject(document) ? { ...shape, config: document } : shape;
  declareModel(withConfig);
  return withConfig;
}
