import { expect, test } from 'vitest';
import { IterationShape } from '../../../cost/costModel.ts';
import { OperatorCost } from '../../../cost/operatorCost.ts';
import { readOperatorTables } from '../../../cost/operatorTables.ts';
import { causalPairs } from '../../../model/windowed.ts';
import { transformerShape } from '../transformerShape.ts';
import { passOf } from './measurePoint.ts';
import { operatorTablesOf, type TimedPoint } from './operatorFiles.ts';
import { type TablePoint, tablePoints } from './tablePoints.ts';

const config = {
  hidden_size: 64,
  intermediate_size: 96,
  num_hidden_layers: 3,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  head_dim: 64,
  vocab_size: 64,
  max_position_embeddings: 32_768,
};
const limits = { maxTokens: 8192, maxSequences: 256, maxContext: 32_768, poolTokens: 600_000 };
/** A card whose passes are known: decoding by graphs is quicker than a chunk of as many tokens. */
const cardUs = ({ chunk, before, sequences, context }: TablePoint): number =>
  (chunk === 0 ? 900 : 1500) +
  0.6 * chunk +
  2 * sequences +
  (chunk * before) / 40_000 +
  chunk ** 2 / 90_000 +
  (sequences * context) / 900;
const shapeOf = ({ chunk, before, sequences, context }: TablePoint): IterationShape =>
  Object.assign(new IterationShape(), {
    prefillTokens: chunk,
    prefillPairs: causalPairs(chunk, before),
    prefillContextTokens: chunk === 0 ? 0 : before + chunk,
    prefillSequences: chunk === 0 ? 0 : 1,
    prefillEnds: chunk === 0 ? 0 : 1,
    decodeSequences: sequences,
    decodeContextTokens: sequences * context,
    decodeLongestTokens: context,
  });

async function costOf(points: readonly TimedPoint[], model_type: string, more: object = {}) {
  const shape = transformerShape({ ...config, ...more, model_type }, 'x');
  const files = operatorTablesOf(points, shape);
  async function* open(file: string) {
    yield await Promise.resolve(Uint8Array.from(files[file] ?? '', (c) => c.charCodeAt(0)));
  }
  const tables = await readOperatorTables('x', open, shape.experts !== undefined);
  const experts = shape.experts;
  return new OperatorCost(
    { kind: 'operators', path: 'x', tensor_parallel: 1, iteration_overhead_us: 50, skew: 0, graph_tokens: 0 },
    {
      layers: 3,
      hidden: 64,
      ...(experts === undefined
        ? {}
        : {
            experts: {
              count: experts.count,
              perToken: experts.topK,
              intermediate: experts.ffn,
              sharedIntermediate: 0,
              denseLayers: 0,
            },
          }),
    },
    tables,
  );
}

test.each([
  ['qwen3', {}],
  ['mixtral', { num_local_experts: 8, num_experts_per_tok: 2 }],
])('%s: every measured pass is given back, and passes between them are near', async (type, more) => {
  const points = tablePoints(limits).map((point) => ({ ...point, us: cardUs(point) }));
  const cost = await costOf(points, type, more);
  for (const point of points) {
    expect(cost.iterationNs(shapeOf(point)) / 1e3 - 50, JSON.stringify(point)).toBeCloseTo(point.us, 0);
  }
  for (const point of [
    { chunk: 0, before: 0, sequences: 24, context: 1200 },
    { chunk: 700, before: 0, sequences: 0, context: 0 },
    { chunk: 3000, before: 2500, sequences: 0, context: 0 },
    { chunk: 600, before: 1000, sequences: 20, context: 1500 },
  ]) {
    const found = cost.iterationNs(shapeOf(point)) / 1e3 - 50;
    expect(Math.abs(found / cardUs(point) - 1), JSON.stringify(point)).toBeLessThan(0.05);
  }
});

test('points fit the card', () => {
  for (const { chunk, before, sequences, context } of tablePoints({
    ...limits,
    poolTokens: 50_000,
    maxSequences: 33,
  })) {
    expect(sequences + (chunk > 0 ? 1 : 0)).toBeLessThanOrEqual(33);
    expect(before + chunk + sequences * context).toBeLessThanOrEqual(50_000);
  }
});

test('rows of a pass have blocks of their own', () => {
  const pass = passOf({ chunk: 40, before: 16, sequences: 2, context: 33 }, 16, 100);
  expect([...pass.starts]).toEqual([16, 32, 32]);
  expect([...pass.counts]).toEqual([40, 1, 1]);
  expect([...pass.blockOffsets]).toEqual([0, 4, 7, 10]);
  expect(new Set(pass.blocks).size).toBe(10);
  expect(pass.tokens).toHaveLength(42);
});
