import { expect, test } from 'vitest';
import { simEngine } from '../engines/sim/engine.ts';
import { KeepingSink, tinySpec, tinyTraffic } from '../engines/sim/tinyRun.ts';
import { runSpec } from '../run/spec.ts';

test('a sink that names its tables gets those, byte for byte, and the same summary', () => {
  const traffic = tinyTraffic([
    { at: 0, prompt: 300, output: 20 },
    { at: 50, prompt: 40, output: 5 },
    { at: 2000, prompt: 90, output: 30 },
  ]);
  const spec = runSpec.parse(tinySpec({ slo: { ttft_ms: 200 } }));
  const run = (sink: KeepingSink) => {
    const started = simEngine.open(spec, () => traffic, sink);
    while (!started.step(Number.POSITIVE_INFINITY, 1000));
    return started.finish();
  };
  class OneTable extends KeepingSink {
    readonly wants = ['requests'] as const;
  }
  const all = new KeepingSink();
  const one = new OneTable();
  expect(run(one)).toEqual(run(all));
  expect(one.table('requests')).toEqual(all.table('requests'));
  expect(one.table('requests').length).toBe(3);
  for (const name of ['samples', 'iterations', 'decisions']) {
    expect(all.table(name).length, name).toBeGreaterThan(0);
    expect(one.table(name), name).toEqual([]);
  }
});
