import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { randomWeight, weightKey } from '../../workloads/engines/cuda/randomWeights.ts';
import { expectedTensors } from '../../workloads/engines/cuda/tensorNames.ts';
import { transformerShape } from '../../workloads/engines/cuda/transformerShape.ts';
import { writeSafetensors } from '../../workloads/model/safetensors.ts';
import { bundleEntry } from '../host/testing/bundleEntry.ts';

// The fake driver computes: the whole way from the command line to the tokens of each answer, without a card.
const native = join(import.meta.dirname, '../../native');
const built = ['dyno.node', 'fake/libfake_cuda.so', 'kernels/transformer/attention_hopper.fatbin'].every(
  (file) => existsSync(join(native, 'build', file)),
);
vi.setConfig({ testTimeout: 240_000 });

const config = {
  model_type: 'qwen3',
  hidden_size: 64,
  intermediate_size: 96,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  head_dim: 64,
  vocab_size: 61,
  max_position_embeddings: 2048,
  tie_word_embeddings: true,
};
const shape = transformerShape(config, 'config.json');
let cli: string;
let runner: string;
let home: string;
let model: string;

/** The weights of a seed as a checkpoint, so that `--weights random:SEED` and the folder are the same model. */
function checkpoint(folder: string, seed: number): void {
  const float = new DataView(new ArrayBuffer(4));
  const tensors = expectedTensors(shape).map(({ name, shape: sizes, centre, scale }) => {
    const count = sizes.reduce((product, n) => product * n, 1);
    const data = new Uint8Array(2 * count);
    const key = weightKey(seed, name);
    for (let i = 0; i < count; i++) {
      float.setFloat32(0, randomWeight(key, i, centre, scale));
      data[2 * i] = float.getUint8(1);
      data[2 * i + 1] = float.getUint8(0);
    }
    return { name, dtype: 'BF16', shape: sizes, data };
  });
  writeFileSync(join(folder, 'model.safetensors'), writeSafetensors(tensors));
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
}

beforeAll(async () => {
  if (!built) return;
  cli = await bundleEntry('electron/cli/main.ts', 'cli.mjs');
  runner = await bundleEntry('electron/runner/main.ts', 'runner.mjs');
  home = mkdtempSync(join(tmpdir(), 'dyno-cuda-'));
  model = join(home, 'Nano');
  mkdirSync(model);
  // A bundle looks for the addon beside itself.
  if (!existsSync(join(dirname(cli), 'native'))) symlinkSync(native, join(dirname(cli), 'native'));
  checkpoint(model, 7);
}, 240_000);
afterAll(() => {
  if (built) rmSync(home, { recursive: true, force: true });
});

function dyno(...args: string[]) {
  const env = {
    ...process.env,
    DYNO_HOME: home,
    DYNO_RUNNER: runner,
    DYNO_CUDA: join(native, 'build/fake/libfake_cuda.so'),
    DYNO_CUBLASLT: join(native, 'build/fake/libfake_cublaslt.so'),
    DYNO_NVML: join(native, 'build/fake/libfake_nvml.so'),
    NO_COLOR: '1',
  };
  const { status, stdout, stderr } = spawnSync(process.execPath, [cli, ...args], {
    env,
    encoding: 'utf8',
    timeout: 200_000,
  });
  return { status, stdout, stderr };
}
const target = 'ch17:prefill_decode_disagg';
const small = [
  ...['--engine', 'cuda', '--set', 'traffic=open', '--set', 'duration_s=1', '--set', 'rate_rps=3'],
  ...['--set', 'prompt_median=12', '--set', 'output_median=8', '--kv-blocks', '500'],
];
const one = ['--variant', 'baseline', '--set', 'instances=1', '--set', 'prefill_instances=1'];

describe.skipIf(!built)('engine cuda from the command line', () => {
  test('two pools answer as one does, token by token', () => {
    const pools = ['--set', 'instances=2', '--set', 'prefill_instances=1', '--iterations', '1'];
    const { status, stdout, stderr } = dyno('bench', target, '--model', model, ...small, ...pools, '--json');
    expect(stderr).toContain('passes');
    expect(status).toBe(0);
    const { verification, engine, simulated, variants } = JSON.parse(stdout);
    expect({ engine, simulated }).toEqual({ engine: 'cuda', simulated: false });
    expect(verification.status).toBe('passed');
    expect(verification.detail).toMatch(/all \d+ answers are the same/);
    expect(variants.optimized.kv.transfers).toBeGreaterThan(0);
  });

  test('weights from files are those of the seed that they were written from', () => {
    const [a, b] = [[], ['--weights', 'random:7']].map((weights) => {
      const { status, stdout, stderr } = dyno(
        'run',
        target,
        '--model',
        model,
        ...weights,
        ...small,
        ...one,
        '--json',
      );
      expect(status, stderr).toBe(0);
      return JSON.parse(stdout).run;
    });
    const { verification } = JSON.parse(dyno('compare', a, b, '--json').stdout);
    expect(verification.detail).toMatch(/all \d+ answers are the same/);
  });

  test('calibration goes on where it was stopped, and predicts', () => {
    const short = join(home, 'Short');
    mkdirSync(short);
    writeFileSync(join(short, 'config.json'), JSON.stringify({ ...config, max_position_embeddings: 64 }));
    const tables = join(home, 'tables');
    const args = [
      'calibrate',
      '--from-gpu',
      '--model',
      short,
      '--out',
      tables,
      '--max-sequences',
      '2',
      '--json',
    ];
    const first = dyno(...args);
    expect(first.status, first.stderr).toBe(0);
    expect(JSON.parse(first.stdout).measuredNow).toBeGreaterThan(2);
    expect(JSON.parse(dyno(...args).stdout).measuredNow).toBe(0);
    const other = dyno(...args.map((word) => (word === short ? model : word)));
    expect(other.stderr).toMatch(/meta.json: model "file:Short", expected "file:Nano"; name another --out/);
    expect(other.status).toBe(2);
  });

  test.each<[string, string[], RegExp, number]>([
    ['a missing GPU', ['--gpus', '7'], /there is no GPU 7/, 3],
    ['weights that are not there', ['--weights', '/none'], /none: no such file/, 2],
  ])('%s: one line, its exit status', (_, more, message, status) => {
    const found = dyno('run', target, '--model', model, ...small, ...one, ...more);
    expect(found.stderr).toMatch(message);
    expect(found.status).toBe(status);
  });

  test('a truncated weight file: one line, exit status 2', () => {
    const cut = join(home, 'Cut');
    mkdirSync(cut);
    checkpoint(cut, 7);
    truncateSync(join(cut, 'model.safetensors'), 20_000);
    const { status, stderr } = dyno('run', target, '--model', cut, ...small, ...one);
    expect(stderr).toMatch(/model.safetensors: .* the file has 20000: it is cut off/);
    expect(status).toBe(2);
  });
});
