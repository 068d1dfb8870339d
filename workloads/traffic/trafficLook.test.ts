import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { quantileOfSorted, sortedPresent } from '../metrics/percentile.ts';
import { ArrivalBins } from './arrivalBins.ts';
import { LengthHistogram } from './lengthHistogram.ts';
import { preview } from './preview.ts';
import { lookAtTrace, readTraffic, type TraceSpec } from './readTraffic.ts';
import { TrafficBuilder } from './trafficBuilder.ts';
import { TrafficLook } from './trafficLook.ts';

const quantilesOf = (lengths: readonly number[]): number[] => {
  const histogram = new LengthHistogram();
  for (const length of lengths) histogram.add(length);
  return histogram.quantiles(100);
};
const sortedQuantiles = (lengths: readonly number[]): number[] => {
  const sorted = sortedPresent(lengths);
  return Array.from({ length: 101 }, (_, i) => quantileOfSorted(sorted, i / 100));
};

describe('quantiles of lengths', () => {
  it('are those of the sorted lengths, to a million tokens', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: (1 << 20) - 1 }), { minLength: 1, maxLength: 300 }), (lengths) => {
        const found = quantilesOf(lengths);
        sortedQuantiles(lengths).forEach((value, i) => {
          expect(Math.abs((found[i] ?? Number.NaN) - value)).toBeLessThan(1e-6);
        });
      }),
    );
  });

  it('are right to 0.1 % beyond, and exact at both ends', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 2147483646 }), { minLength: 1, maxLength: 300 }),
        (lengths) => {
          const found = quantilesOf(lengths);
          sortedQuantiles(lengths).forEach((value, i) => {
            expect(Math.abs((found[i] ?? Number.NaN) / value - 1)).toBeLessThan(0.001);
          });
          expect([found[0], found[100]]).toEqual([Math.min(...lengths), Math.max(...lengths)]);
        },
      ),
    );
  });

  it('nothing has none', () => {
    expect(quantilesOf([])).toEqual([]);
  });
});

describe('arrivals in bins', () => {
  const exactly = (times: readonly number[], bins: number): number[] => {
    const first = times.reduce((a, b) => Math.min(a, b));
    const span = times.reduce((a, b) => Math.max(a, b)) - first || 1e9;
    const counts = new Array<number>(bins).fill(0);
    for (const time of times) {
      const bin = Math.min(bins - 1, Math.floor(((time - first) / span) * bins));
      counts[bin] = (counts[bin] ?? 0) + 1;
    }
    return counts;
  };
  const binned = (times: readonly number[], bins: number): number[] => {
    const arrivals = new ArrivalBins();
    for (const time of times) arrivals.add(time);
    return arrivals.counts(bins);
  };

  it('few are exact, in any order', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat({ max: 1e15 }), { minLength: 1, maxLength: 200 }),
        fc.integer({ min: 1, max: 150 }),
        (times, bins) => {
          expect(binned(times, bins)).toEqual(exactly(times, bins));
        },
      ),
    );
  });

  it.each([
    ['ascending', (i: number) => i * 977_003],
    ['descending', (i: number) => 2e14 - i * 977_003],
    ['from the middle outwards', (i: number) => 5e14 + (i % 2 === 0 ? 1 : -1) * i * 1_000_003],
    ['a burst, then a long tail', (i: number) => (i < 70_000 ? i : i * 1e9)],
  ])('many are all counted, few in a neighbouring bin: %s', (_, timeOf) => {
    const times = Array.from({ length: 150_000 }, (__, i) => timeOf(i));
    const [found, right] = [binned(times, 60), exactly(times, 60)];
    expect(found.reduce((a, b) => a + b)).toBe(times.length);
    let moved = 0;
    found.forEach((count, bin) => {
      moved += Math.abs(count - (right[bin] ?? 0));
    });
    expect(moved).toBeLessThan(times.length * 0.002);
  });
});

it('a look counts blocks as a builder numbers them, and sees the same mistakes', () => {
  const [builder, look] = [new TrafficBuilder('t', 16), new TrafficLook()];
  const mistakes: [number, number][] = [];
  for (let r = 0; r < 200; r++) {
    const ids = Array.from({ length: 1 + ((r * 7) % 120) }, (_, i) => (r % 3 === 0 ? i : 1e12 + r * 500 + i));
    for (const id of [...ids, ids[r % ids.length] ?? 0]) {
      const [kept, seen] = [builder.block(id), look.block(id)];
      if (!kept || !seen) mistakes.push([r, Number(kept) + Number(seen)]);
    }
    builder.request(r * 5, 16 * ids.length, 2, 0, r % 7);
    look.request(r * 5, 16 * ids.length, 2, 0, r % 7);
  }
  expect(mistakes).toEqual(Array.from({ length: 200 }, (_, r) => [r, 0]));
  const traffic = builder.traffic();
  expect(look.sketch('t', undefined)).toEqual(preview(traffic));
  expect(preview(traffic)).toMatchObject({
    block_refs: traffic.blockIds.length,
    unique_blocks: traffic.uniqueBlocks,
    sessions: 7,
  });
});

it('a look at a file says what a preview of its traffic says, speed-up, choice and errors included', async () => {
  const text = Array.from(
    { length: 500 },
    (_, i) =>
      `{"timestamp":${(i * 7919) % 60_000},"input_length":${1 + ((i * 31) % 900)},"output_length":${i % 9},"session_id":"s${i % 40}"}`,
  ).join('\n');
  const open = async function* () {
    yield new TextEncoder().encode(text);
  };
  const spec = (more: Partial<TraceSpec> = {}) =>
    ({ kind: 'trace', path: 't.jsonl', format: 'auto', speedup: 1, ...more }) as TraceSpec;
  for (const more of [
    { drop_empty: true },
    { drop_empty: true, speedup: 4 },
    { drop_empty: true, limit: 20, from_s: 5 },
  ]) {
    const [seen, kept] = [await lookAtTrace(spec(more), open), preview(await readTraffic(spec(more), open))];
    expect({ ...seen, arrivals_rps: [], duration_s: 0, rate_rps: 0 }).toEqual({
      ...kept,
      arrivals_rps: [],
      duration_s: 0,
      rate_rps: 0,
    });
    expect(seen.duration_s).toBeCloseTo(kept.duration_s, 6);
    seen.arrivals_rps.forEach((rate, i) => {
      expect(rate).toBeCloseTo(kept.arrivals_rps[i] ?? Number.NaN, 6);
    });
  }
  await expect(lookAtTrace(spec(), open)).rejects.toThrow('t.jsonl:1: output_length is 0');
});
