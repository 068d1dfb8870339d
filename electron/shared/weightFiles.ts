import { closeSync, existsSync, fstatSync, openSync, readdirSync, readSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { TensorSource, TensorType, TransformerShape } from '../../workloads/engines/cuda/device.ts';
import { expectedTensors } from '../../workloads/engines/cuda/tensorNames.ts';
import {
  headerBytes,
  readHeader,
  readShardIndex,
  type StoredTensor,
} from '../../workloads/model/safetensors.ts';
import { InputError } from '../../workloads/run/inputError.ts';
import { checkReadable, fileReason, readJson } from './openFile.ts';

const indexName = 'model.safetensors.index.json';
const singleName = 'model.safetensors';
const loadable = new Set<string>(['BF16', 'F16', 'F32', 'F8_E4M3'] satisfies TensorType[]);
const isLoadable = (dtype: string): dtype is TensorType => loadable.has(dtype);

/** The tensors of one safetensors file; its header alone is read. Throws InputError. */
export function readWeightFile(file: string): StoredTensor[] {
  checkReadable(file, 'a safetensors file');
  let opened: number;
  try {
    opened = openSync(file, 'r');
  } catch (thrown) {
    throw new InputError(`${file}: ${fileReason(thrown)}, expected a safetensors file`);
  }
  try {
    const { size } = fstatSync(opened);
    const first = new Uint8Array(8);
    const length = headerBytes(file, first.subarray(0, readSync(opened, first, 0, 8, 0)), size);
    const header = new Uint8Array(length);
    let at = 0;
    while (at < length) {
      const got = readSync(opened, header, at, length - at, 8 + at);
      if (got === 0) throw new InputError(`${file}: cut off within its header`);
      at += got;
    }
    return readHeader(file, headerDocument(file, header), length, size);
  } finally {
    closeSync(opened);
  }
}

function headerDocument(file: string, header: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(header));
  } catch {
    throw new InputError(`${file}: its header is no JSON, expected a safetensors file`);
  }
}

/** All tensors in a model's folder: of one file, or of the shards that the index names. Throws InputError. */
function tensorsOf(folder: string): Map<string, StoredTensor & { readonly file: string }> {
  const found = new Map<string, StoredTensor & { readonly file: string }>();
  const index = join(folder, indexName);
  const single = join(folder, singleName);
  if (existsSync(index)) {
    const shards = readShardIndex(index, parsed(index));
    for (const shard of new Set(shards.values())) {
      const file = join(folder, shard);
      if (!existsSync(file)) {
        const names = [...shards].filter(([, own]) => own === shard);
        throw new InputError(
          `${file}: missing, expected the shard that ${indexName} names for ${names.length} tensors; download the model again`,
        );
      }
      for (const tensor of readWeightFile(file)) {
        if (shards.get(tensor.name) === shard) found.set(tensor.name, { ...tensor, file });
      }
    }
    return found;
  }
  if (!existsSync(single)) {
    const others = folderNames(folder).filter((name) => /\.(bin|pth|gguf|pt)$/.test(name));
    throw new InputError(
      `${folder}: no ${singleName} and no ${indexName}${others.length === 0 ? '' : ` (found ${others.slice(0, 3).join(', ')})`}, expected weights as safetensors; --weights random:SEED needs none`,
    );
  }
  for (const tensor of readWeightFile(single)) found.set(tensor.name, { ...tensor, file: single });
  return found;
}

function folderNames(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (thrown) {
    throw new InputError(`${folder}: ${fileReason(thrown)}, expected a model's folder`);
  }
}

const parsed = (file: string): unknown => readJson(file, 'a shard index (JSON)');

/** Where each tensor of the model lies, in the device's order; every one is there with the right shape. Throws InputError. */
export function weightSources(folder: string, shape: TransformerShape): TensorSource[] {
  const path = resolve(folder);
  const there = tensorsOf(path);
  const missing: string[] = [];
  const sources = expectedTensors(shape).flatMap((expected): TensorSource[] => {
    const tensor = there.get(expected.name);
    if (tensor === undefined) {
      missing.push(expected.name);
      return [];
    }
    if (tensor.shape.join() !== expected.shape.join()) {
      throw new InputError(
        `${tensor.file}: ${tensor.name}: shape [${tensor.shape.join(', ')}], expected [${expected.shape.join(', ')}] by config.json`,
      );
    }
    if (!isLoadable(tensor.dtype)) {
      throw new InputError(
        `${tensor.file}: ${tensor.name}: ${tensor.dtype}, expected one of ${[...loadable].join(', ')}`,
      );
    }
    const { name, dtype, file, offset, bytes } = tensor;
    return [{ name, dtype, shape: tensor.shape, file, offset, bytes }];
  });
  if (missing.length > 0) {
    throw new InputError(
      `${path}: ${missing.length} tensors are missing, first ${missing[0]}, expected all that config.json asks for`,
    );
  }
  return sources;
}
