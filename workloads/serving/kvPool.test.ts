import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { KvPool } from './kvPool.ts';

const ids = (...values: number[]) => Int32Array.from(values);

/** A request that computes what the cache lacks and leaves: returns its hits. */
function pass(pool: KvPool, blocks: Int32Array): number {
  const hit = pool.match(blocks, 0, blocks.length);
  pool.hold(blocks, 0, hit);
  pool.take(blocks.length - hit);
  for (let i = hit; i < blocks.length; i++) pool.publish(blocks[i] ?? 0);
  pool.release(blocks, 0, blocks.length);
  return hit;
}

describe('KV pool', () => {
  test('a prefix is found as far as it is known', () => {
    const pool = new KvPool(8);
    expect(pass(pool, ids(1, 2, 3))).toBe(0);
    expect(pass(pool, ids(1, 2, 4))).toBe(2);
    expect(pool.match(ids(1, 2, 3), 0, 3)).toBe(3);
    expect(pool.match(ids(2, 3), 0, 2)).toBe(2);
    expect(pool.match(ids(9, 1), 0, 2)).toBe(0);
  });

  test('the tail of the oldest request goes first', () => {
    const pool = new KvPool(4);
    pass(pool, ids(1, 2, 3));
    pass(pool, ids(7, 8));
    // 4 blocks for 5: block 3 had to go, not 1 or 2.
    expect(pool.evictions).toBe(1);
    expect(pool.match(ids(1, 2, 3), 0, 3)).toBe(2);
  });

  test('held blocks are never evicted', () => {
    const pool = new KvPool(3);
    pass(pool, ids(1, 2));
    pool.hold(ids(1, 2), 0, 2);
    expect(pool.available).toBe(1);
    pool.take(1);
    expect(pool.available).toBe(0);
    expect(pool.match(ids(1, 2), 0, 2)).toBe(2);
  });

  test('a block that two requests compute at once is kept once', () => {
    const pool = new KvPool(4);
    pool.take(2);
    pool.publish(5);
    pool.publish(5);
    expect(pool.used).toBe(1);
    pool.release(ids(5), 0, 1);
    expect(pool.used).toBe(1);
    pool.release(ids(5), 0, 1);
    expect(pool.used).toBe(0);
    pool.check(0);
  });

  test('any sequence of requests keeps every count, and the cache closed under prefixes', () => {
    // A request is a path from the root of a binary tree: equal ids mean equal prefixes.
    const path = fc.array(fc.boolean(), { minLength: 1, maxLength: 6 }).map((turns) => {
      let node = 1;
      return Int32Array.from(turns, (right) => {
        node = 2 * node + (right ? 1 : 0);
        return node;
      });
    });
    fc.assert(
      fc.property(fc.integer({ min: 6, max: 20 }), fc.array(path, { maxLength: 60 }), (total, paths) => {
        const pool = new KvPool(total);
        let held: Int32Array | undefined;
        for (const blocks of paths) {
          const hit = pool.match(blocks, 0, blocks.length);
          if (blocks.length - hit + pool.idleAmong(blocks, 0, hit) > pool.available) {
            if (held !== undefined) pool.release(held, 0, held.length);
            held = undefined;
            continue;
          }
          pool.hold(blocks, 0, hit);
          pool.take(blocks.length - hit);
          pool.check(blocks.length - hit);
          for (let i = hit; i < blocks.length; i++) pool.publish(blocks[i] ?? 0);
          pool.check(0);
          // One request always stays, so that blocks have different numbers of holders.
          if (held !== undefined) pool.release(held, 0, held.length);
          held = blocks;
          pool.check(0);
          // Closed: a block whose parent is gone would be found by itself but not through its path.
          for (let i = 1; i < blocks.length; i++) {
            const alone = pool.match(blocks, i, i + 1) === 1;
            if (alone) expect(pool.match(blocks, 0, i + 1)).toBe(i + 1);
          }
        }
      }),
    );
  });
});
