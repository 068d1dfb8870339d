import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { runSpec } from '../run/spec.ts';
import { engineOf } from './engineFiles.ts';
import { replaySpec } from './measuredRun.ts';
import { vllmRuns } from './vllmRuns.ts';

const sha256 = ''.padStart(64, 'a');
const cluster = (hardware: string, gigabytes: number): string =>
  JSON.stringify({
    num_nodes: 1,
    link_bw: 16,
    link_latency: 20000,
    nodes: [{ instances: [{ hardware, npu_mem: { mem_size: gigabytes, mem_bw: 1597, mem_util: 0.9 } }] }],
  });
const meta = (model: string, engine: Record<string, unknown>, blocks?: number): string =>
  JSON.stringify({
    model,
    engine_kwargs: { max_num_seqs: 128, max_num_batched_tokens: 2048, ...engine },
    ...(blocks === undefined ? {} : { kv_cache: { num_gpu_blocks: blocks, block_size: 16 } }),
  });

describe('an engine from its own files', () => {
  test('two data-parallel engines with divided experts: one group, the recorded gate, the stated link', () => {
    const { label, settings } = engineOf('run', {
      meta: meta('Qwen/Qwen3-30B-A3B-Instruct-2507', { data_parallel_size: 2, enable_expert_parallel: true }),
      cluster: cluster('RTXPRO6000', 96),
      opMeta: '',
    });
    const own = settings('tables', sha256);
    expect(label).toBe('Qwen/Qwen3-30B-A3B-Instruct-2507 on RTXPRO6000, DP 2, EP 2');
    expect(own.model).toBe('qwen3-30b-a3b');
    expect(own.cost).toMatchObject({
      tensor_parallel: 1,
      experts: {
        ranks: 2,
        data_ranks: 2,
        gate_skew: 0.6,
        link: { bandwidth_gb_per_s: 16, latency_us: 20 },
      },
    });
    // Half of the experts' weights, all of the others: about 32 GB of 96 beside the cache.
    expect(own.kvBlocks * 16 * 98_304).toBeGreaterThan(48e9);
    expect(own.kvBlocks * 16 * 98_304).toBeLessThan(54e9);
    const spec = replaySpec(own);
    expect(spec.cluster.instances.map((i) => i.name)).toEqual(['engine-0', 'engine-1']);
    expect(spec.policy.router).toBe('vllm_dp');
    expect(runSpec.parse(spec)).toEqual(spec);
  });

  test('tensor parallelism takes the link for its all-reduces and the skew of its own tables', () => {
    const { settings } = engineOf('run', {
      meta: meta('Qwen/Qwen3-32B', { tensor_parallel_size: 2 }, 5001),
      cluster: cluster('RTXPRO6000', 96),
      opMeta: 'skew_fit:\n  per_tp:\n    1:\n      alpha_default: 0.1\n    2:\n      alpha_default: 0.2\n',
    });
    const own = settings('tables', sha256);
    expect(own.kvBlocks).toBe(5000);
    expect(own.cost).toMatchObject({
      tensor_parallel: 2,
      skew: 0.2,
      all_reduce: { bandwidth_gb_per_s: 16, latency_us: 20 },
    });
  });

  test('an unknown model and a broken file are named', () => {
    const files = { meta: meta('nobody/Nothing', {}), cluster: cluster('X', 96), opMeta: '' };
    expect(() => engineOf('run', files)).toThrow('run/meta.json: model nobody/Nothing, expected one of');
    expect(() => engineOf('run', { ...files, meta: '{' })).toThrow('run/meta.json: not JSON');
    expect(() => engineOf('run', { ...files, cluster: '{}' })).toThrow('run/cluster.json: link_bw');
  });
});

const data = process.env['DYNO_DATA'] ?? '../shared/data';

for (const { folder, settings } of vllmRuns) {
  const path = `${data}/vllm-measured/${folder}`;
  test.skipIf(!existsSync(path))(`${folder}: its files say what the list says`, () => {
    const read = (name: string): string => readFileSync(`${path}/${name}`, 'utf8');
    const files = { meta: read('meta.json'), cluster: read('cluster.json'), opMeta: read('op-meta.yaml') };
    const { kvBlocks, ...found } = engineOf(folder, files).settings(path, sha256);
    const { kvBlocks: listed, ...expected } = settings(path, sha256);
    expect(found).toEqual(expected);
    // Where the run does not record its blocks, what the memory leaves is near what was assumed.
    expect(Math.abs(kvBlocks / listed - 1)).toBeLessThan(0.05);
  });
}
