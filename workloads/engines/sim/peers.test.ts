import { createReadStream } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { findTarget } from '../../catalog/catalog.ts';
import { kvBytesPerToken, type ModelShape } from '../../model/shape.ts';
import { KvPool } from '../../serving/kvPool.ts';
import { readTraffic } from '../../traffic/readTraffic.ts';
import { runSpecOn } from './tinyRun.ts';

const data = process.env['DYNO_DATA'] ?? '';
const path = `${data}/traces/mooncake-conversation.jsonl`;
const open = (file: string) => createReadStream(file);

test('splitwise-sim’s KV hop: 4,096 tokens of BLOOM-176B at 200 GiB/s take 0.0765625 s', () => {
  const bloom: ModelShape = {
    id: 'bloom-176b',
    label: 'BLOOM 176B',
    layers: 70,
    hidden: 14336,
    heads: 112,
    kvHeads: 112,
    headDim: 128,
    intermediate: 57344,
    vocabulary: 250880,
    tiedEmbeddings: true,
    bytesPerWeight: 2,
    bytesPerKvValue: 2,
    source: 'bigscience/bloom',
  };
  expect(kvBytesPerToken(bloom)).toBe(4014080);
  expect((4096 * kvBytesPerToken(bloom)) / (200 * 1073741824)).toBe(0.0765625);
});

describe.skipIf(data === '')('Mooncake conversation trace', () => {
  test('an unlimited pool finds 105,710 of 288,500 blocks', async () => {
    const traffic = await readTraffic({ kind: 'trace', path, format: 'mooncake', speedup: 1 }, open);
    const pool = new KvPool(300_000);
    let hits = 0;
    for (let r = 0; r < traffic.requests; r++) {
      const from = traffic.blockOffsets[r] ?? 0;
      const to = traffic.blockOffsets[r + 1] ?? 0;
      const hit = pool.match(traffic.blockIds, from, to);
      hits += hit;
      pool.hold(traffic.blockIds, from, hit);
      pool.take(to - from - hit);
      for (let i = from + hit; i < to; i++) pool.publish(traffic.blockIds[i] ?? -1);
      pool.release(traffic.blockIds, from, to - from);
    }
    expect(hits).toBe(105_710);
    pool.check(0);
  });

  test('the score finds ≥ 0.345 of the blocks over 8 × 5,859, with requests spread within 15 %', async () => {
    const traffic = await readTraffic({ kind: 'trace', path, format: 'mooncake', speedup: 1 }, open);
    const target = findTarget('labs/dynamic_router:dynamic_router');
    const spec = target?.spec({
      variant: 'optimized',
      engine: 'sim',
      parameters: { kv_memory: 'given', kv_blocks: 5859, block_tokens: 512 },
      seed: 0,
      iterations: 1,
    });
    if (spec === undefined) throw new Error('no target');
    const { summary } = runSpecOn(spec, traffic);
    expect(summary.requests).toMatchObject({
      arrived: 12031,
      admitted: 12031,
      completed: 12031,
      rejected: 0,
    });
    expect(summary.kv.block_refs).toBe(288_500);
    expect(summary.kv.hit_rate).toBeGreaterThanOrEqual(0.345);
    expect(summary.balance.request_imbalance).toBeLessThanOrEqual(1.15);
  });
});
