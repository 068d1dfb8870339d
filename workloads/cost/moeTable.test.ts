import { describe, expect, test } from 'vitest';
import { skewAlpha } from '../calibration/engineFiles.ts';
import { replaySpec } from '../calibration/measuredRun.ts';
import { runSpecOn, tinyTraffic } from '../engines/sim/tinyRun.ts';
import { IterationShape } from './costModel.ts';
import { moeBlockUs, readMoeTable } from './moeTable.ts';
import { OperatorCost } from './operatorCost.ts';
import { provideOperatorTables, readOperatorTables } from './operatorTables.ts';

async function* bytes(text: string): AsyncGenerator<Uint8Array> {
  yield new TextEncoder().encode(text);
}

/** Time = 10 µs + 1 per token + 2 per expert with a token, on a grid; attention and head cost 1 µs, dense operators nothing much. */
const moeRows = [1, 8, 64, 512].flatMap((tokens) =>
  [1, 8, 64, 128].map((active) => `${tokens},${active},${10 + tokens + 2 * active}`),
);
const files: Record<string, string> = {
  'op-attention.csv': 'prefill_chunk,kv_prefill,n_decode,kv_decode,time_us\n0,0,1,16,1\n1,0,0,0,1\n',
  'op-dense.csv': 'layer,tokens,time_us\nqkv_proj,1,1\n',
  'op-per_sequence.csv': 'layer,sequences,time_us\nlm_head,1,1\n',
  'op-moe.csv': `tokens,activated_experts,time_us\n${moeRows.join('\n')}\n`,
};
const read = (moe = files['op-moe.csv'] ?? '') => readMoeTable('t/op-moe.csv', bytes(moe));

describe('the table', () => {
  test('between points it is on straight lines of both axes; with the column ep each degree is its own', async () => {
    const whole = await read();
    expect(moeBlockUs(whole, 1, 36, 1, 36)).toBeCloseTo(10 + 36 + 72, 9);
    const both = await read('ep,tokens,activated_experts,time_us\n1,1,8,40\n1,3,8,60\n2,1,4,30\n2,3,4,34\n');
    expect(moeBlockUs(both, 1, 2, 1, 8)).toBe(50);
    expect(moeBlockUs(both, 2, 2, 0.5, 4)).toBe(32);
  });

  test('one measured with all experts on the card is asked for the rank’s share of the pairs', async () => {
    expect(moeBlockUs(await read(), 2, 64, 0.5, 40)).toBeCloseTo(10 + 32 + 80, 9);
  });

  test('a bad one is named with its line and what was expected', async () => {
    await expect(read('tokens,us\n')).rejects.toThrow('t/op-moe.csv:1: header "tokens,us", expected tokens,');
    await expect(read('tokens,activated_experts,time_us\n1,0,4\n')).rejects.toThrow(
      't/op-moe.csv:2: activated_experts is "0", expected an integer from 1',
    );
    await expect(read('tokens,activated_experts,time_us\n')).rejects.toThrow('no row');
    const both = await read('ep,tokens,activated_experts,time_us\n4,1,8,40\n');
    expect(() => moeBlockUs(both, 2, 1, 0.5, 4)).toThrow('measured for ep 4, expected 2 or 1');
  });
});

describe('a pass with measured MoE blocks', () => {
  const model = {
    layers: 10,
    hidden: 8,
    experts: { count: 128, perToken: 8, intermediate: 4, sharedIntermediate: 0, denseLayers: 2 },
  };
  const spec = {
    kind: 'operators' as const,
    path: 't',
    sha256: 'a'.padStart(64, '0'),
    tensor_parallel: 1,
    iteration_overhead_us: 100,
    skew: 0,
    graph_tokens: 0,
  };
  const tables = () => readOperatorTables('t', (file) => bytes(files[file] ?? ''), true);

  test('one token reaches its 8 experts in each sparse layer', async () => {
    const cost = new OperatorCost(spec, model, await tables());
    const shape = Object.assign(new IterationShape(), { decodeSequences: 1, decodeContextTokens: 16 });
    // 100 + 10 × (1 dense + 1 attention) + 1 head + 8 sparse × (10 + 1 + 2 × 8)
    expect(cost.iterationNs(shape)).toBe((100 + 20 + 1 + 8 * 27) * 1e3);
  });

  test('without the file a mixture of experts is refused', async () => {
    const { moe: _moe, ...dense } = await tables();
    expect(() => new OperatorCost(spec, model, dense)).toThrow('t/op-moe.csv: not there');
  });

  test('data-parallel ranks replay in lockstep, and all requests end', async () => {
    provideOperatorTables(spec.sha256, await tables());
    const run = replaySpec({
      model: 'qwen3-30b-a3b',
      cost: {
        ...spec,
        experts: {
          group: 'e',
          ranks: 2,
          data_ranks: 2,
          gate_skew: 0.6,
          link: { bandwidth_gb_per_s: 16, latency_us: 20 },
        },
      },
      kvBlocks: 1000,
      blockTokens: 16,
      maxSequences: 16,
      maxBatchedTokens: 512,
      dataParallel: 2,
    });
    const traffic = tinyTraffic(
      Array.from({ length: 20 }, (_, i) => ({ at: 3 * i, prompt: 50 + 7 * i, output: 1 + (i % 9) })),
    );
    const { summary } = runSpecOn(run, traffic);
    expect(summary.requests.completed).toBe(20);
    expect(summary.per_instance.map((i) => i.completed).every((n) => n > 0)).toBe(true);
    expect(summary.moe?.all_to_all_share).toBeGreaterThan(0);
  });
});

test('the skew of the tables’ own tensor parallelism', () => {
  const yaml =
    'skew_fit:\n  per_tp:\n    1:\n      alpha_default: 0.0543\n    2:\n      method: x\n      alpha_default: 0.0654\n';
  expect([skewAlpha(yaml, 1), skewAlpha(yaml, 2), skewAlpha(yaml, 4), skewAlpha('', 1)]).toEqual([
    0.0543,
    0.0654,
    undefined,
    undefined,
  ]);
});
