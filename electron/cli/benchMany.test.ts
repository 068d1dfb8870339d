import { describe, expect, it } from 'vitest';
import { catalog } from '../../workloads/catalog/catalog.ts';
import type { Comparison } from '../contract/protocol.ts';
import { judged, targetsNamed } from './benchMany.ts';

const row = (metric: string, verdict: 'better' | 'worse' | 'no evidence', ratio = 0.5) =>
  ({
    ...{ metric, verdict, ratio, baseline: 2, optimized: 2 * ratio, ci95: [ratio - 0.1, ratio + 0.1] },
    ...{ significant: verdict !== 'no evidence', better: 'lower' },
  }) as Comparison['rows'][number];

describe('a claim', () => {
  const rows = [row('ttft_ms.p50', 'better'), row('tpot_ms.p50', 'no evidence'), row('tpot_ms.p95', 'worse')];

  it.each([
    [['ttft_ms'], 'confirmed', 'ttft_ms.p50'],
    [['tpot_ms'], 'reversed', 'tpot_ms.p95'],
    [['ttft_ms', 'tpot_ms'], 'mixed', 'ttft_ms.p50'],
    [['tpot_ms.p50'], 'no effect', 'tpot_ms.p50'],
    [[], 'mixed', 'ttft_ms.p50'],
  ] as const)('of %j is %s', (claims, verdict, metric) => {
    expect(judged(rows, claims, 'words')).toMatchObject({ verdict, lead: { metric }, reason: 'words' });
  });

  it('under overload is judged by what is served, not by latencies', () => {
    const found = judged([...rows, row('throughput_rps', 'better', 2)], ['ttft_ms'], 'Overloaded: baseline');
    expect(found).toMatchObject({ verdict: 'confirmed', lead: { metric: 'throughput_rps' } });
  });
});

describe('targets of a bench', () => {
  it('one id is no group; all, a chapter and several ids are', () => {
    expect(targetsNamed(['ch17:inference_full'], 'sim')).toBeUndefined();
    expect(targetsNamed([], 'sim')).toBeUndefined();
    expect(targetsNamed(['all'], 'sim')).toEqual(catalog.map(({ id }) => id));
    const chapter = targetsNamed(['ch17'], 'sim');
    expect(chapter?.length).toBeGreaterThan(4);
    expect(chapter?.every((id) => id.startsWith('ch17:'))).toBe(true);
    expect(targetsNamed(['ch17', 'ch17:inference_full', 'serving:faults'], 'sim')).toEqual([
      ...(chapter ?? []),
      'serving:faults',
    ]);
  });

  it('a chapter without a target on the engine is refused', () => {
    expect(() => targetsNamed(['native'], 'sim')).toThrow('no target of it runs on engine sim');
  });
});
