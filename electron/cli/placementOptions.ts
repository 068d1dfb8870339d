import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { Placement } from '../../workloads/catalog/placement.ts';
import { InputError } from '../../workloads/run/inputError.ts';
import type { WeightsSpec } from '../../workloads/run/instanceSpec.ts';
import { parseServer } from '../../workloads/run/serverAddress.ts';
import type { EngineId } from '../../workloads/run/spec.ts';
import { isModelFolder, modelNamed } from '../shared/modelFile.ts';
import { didYouMean } from './closest.ts';
import { collect, integer, maxSeed } from './options.ts';

/** What `--engine cuda` and `--engine http` need beyond a target. */
export interface PlacementOptions {
  readonly server?: readonly string[];
  readonly gpus?: string;
  readonly model?: string;
  readonly weights?: string;
  readonly precision?: string;
  readonly kvBlocks?: number;
}

export function addPlacementOptions(command: Command): Command {
  return command
    .option(
      '--server <url>',
      'engine http: a server, with ,role= ,model= ,name= ,dialect= ,kv-events= ,metrics= ,key-env= behind it; repeatable',
      collect,
    )
    .option(
      '--gpus <list>',
      'engine cuda: the GPUs to use (under capture nsys also those whose metrics are sampled), e.g. 0 or 0,1',
    )
    .option('--weights <source>', 'engine cuda: random:SEED, or a folder with safetensors')
    .option('--precision <format>', 'engine cuda: bf16 or fp8 weights')
    .option('--kv-blocks <n>', 'engine cuda: KV blocks of each instance', integer(1, 1_000_000_000));
}

/** `random:SEED`, or a folder; absent: the model's own folder, else seed 0. Throws InputError. */
export function weightsOf(text: string | undefined, model: string | undefined): WeightsSpec {
  if (text === undefined) {
    // A folder holds its own weights; a name alone has none.
    return model !== undefined && isModelFolder(model)
      ? { kind: 'files', path: resolve(model) }
      : { kind: 'random', seed: 0 };
  }
  const random = /^random:(\d+)$/.exec(text)?.[1];
  if (random !== undefined && Number(random) <= maxSeed) return { kind: 'random', seed: Number(random) };
  if (text.startsWith('random'))
    throw new InputError(`--weights ${text}: expected random:SEED with a seed from 0 to ${maxSeed}`);
  return { kind: 'files', path: resolve(text) };
}

function devicesOf(text: string): number[] {
  const devices = text.split(',').map((word) => Number(word.trim()));
  if (devices.every((device) => Number.isInteger(device) && device >= 0)) return devices;
  throw new InputError(`--gpus ${text}: expected CUDA ordinals joined by commas, e.g. 0,1`);
}

/** Memory of the smallest of these GPUs as its driver has it; absent where nvidia-smi is not there. */
function memoryOf(devices: readonly number[]): { memoryBytes?: number } {
  const { status, stdout } = spawnSync(
    'nvidia-smi',
    ['--query-gpu=memory.total', '--format=csv,noheader,nounits', `--id=${devices.join(',')}`],
    { encoding: 'utf8', timeout: 10_000 },
  );
  if (status !== 0) return {};
  const bytes = stdout
    .trim()
    .split('\n')
    .map((line) => Number(line) * 1048576);
  return bytes.every((size) => size > 0) ? { memoryBytes: Math.min(...bytes) } : {};
}

/** Where the instances of a target are to be. Throws InputError where options and engine contradict each other. */
export function placementOf(engine: EngineId, options: PlacementOptions): Placement {
  const { server = [], gpus: list = '0', model, weights, precision, kvBlocks } = options;
  if (engine !== 'http' && server.length > 0)
    throw new InputError(`--server goes with --engine http, not with ${engine}`);
  if (engine === 'http') return { engine, servers: server.map(parseServer) };
  if (engine === 'sim') return { engine };
  if (precision !== undefined && precision !== 'bf16' && precision !== 'fp8')
    throw new InputError(`--precision ${precision}: expected bf16 or fp8`);
  const devices = devicesOf(list);
  return {
    engine,
    devices,
    ...memoryOf(devices),
    ...(model === undefined
      ? {}
      : { model: modelNamed(model, '--model', (ids) => didYouMean(model, ids)).id }),
    weights: weightsOf(weights, model),
    ...(precision === undefined ? {} : { precision }),
    ...(kvBlocks === undefined ? {} : { kvBlocks }),
  };
}
