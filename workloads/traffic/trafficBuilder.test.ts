import { expect, it } from 'vitest';
import { TrafficBuilder } from './trafficBuilder.ts';

/** Ids below 2^53 whose hash under the first seed ends in the same 20 bits: they walk one path through the table. */
function colliding(count: number): number[] {
  const ids: number[] = [];
  for (let low = 0; ids.length < count; low++) {
    let h = Math.imul(low, 0x9e3779b1);
    h ^= h >>> 15;
    // The upper half undoes what the lower one did, where its 21 bits can.
    const high = h >>> 0;
    if (high < 2 ** 21) ids.push(high * 4294967296 + low);
  }
  return ids;
}

it('ids that were chosen to collide cost no more than others', () => {
  const ids = colliding(60_000);
  const builder = new TrafficBuilder('collisions', 512);
  const begin = process.cpuUsage();
  for (const id of ids) builder.block(id);
  builder.request(0, 512 * ids.length, 1);
  const { user, system } = process.cpuUsage(begin);
  const traffic = builder.traffic();
  expect(traffic.uniqueBlocks).toBe(ids.length);
  expect([...traffic.blockIds]).toEqual(ids.map((_, i) => i));
  // Quadratic: 60,000² / 2 steps of a nanosecond, several seconds. It takes some 20 ms.
  expect((user + system) / 1000).toBeLessThan(1000);
});
