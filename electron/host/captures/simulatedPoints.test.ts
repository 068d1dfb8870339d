import { describe, expect, test } from 'vitest';
import { catalog } from '../../../workloads/catalog/catalog.ts';
import type { Target } from '../../../workloads/catalog/target.ts';
import { simEngine } from '../../../workloads/engines/sim/engine.ts';
import { KeepingSink } from '../../../workloads/engines/sim/tinyRun.ts';
import { iterationPoints } from '../../../workloads/roofline/iterations.ts';
import { assess } from '../../../workloads/roofline/roof.ts';
import { modelled } from '../../../workloads/run/instanceSpec.ts';
import type { RunSpec } from '../../../workloads/run/spec.ts';
import { generate } from '../../../workloads/traffic/generate.ts';
import { cardOfInstance } from './simulatedPoints.ts';

const columns = [
  'instance',
  'start_ns',
  'end_ns',
  'passes',
  'prefill_tokens',
  'decode_sequences',
  'context_tokens',
] as const;

/** The target's own settings with little traffic. */
function shortSpec(target: Target, variant: string): RunSpec {
  const has = (id: string) => target.parameters.some((p) => p.id === id);
  return target.spec({
    variant,
    engine: 'sim',
    parameters: {
      ...(has('duration_s') ? { duration_s: 8 } : {}),
      ...(has('requests') ? { requests: 200 } : {}),
    },
    seed: 0,
    iterations: 1,
  });
}

/** Share of the roof of each point of a run. */
function efficiencies(spec: RunSpec): readonly (readonly [string, number])[] {
  const cards = spec.cluster.instances.map((instance) => cardOfInstance('run', spec.cluster, instance));
  const sink = new KeepingSink();
  const { traffic } = spec;
  if (traffic.kind === 'trace') throw new Error('a trace was not asked for');
  const run = simEngine.open(spec, () => generate(traffic, spec.seed), sink);
  while (!run.step(60e9, 100_000)) if (run.clock >= 60e9) break;
  run.finish();
  const rows = sink.table('iterations');
  const [instance, startNs, endNs, passes, prefillTokens, decodeSequences, contextTokens] = columns.map(
    (name) => Float64Array.from(rows, (row) => Number(row[name])),
  );
  const none = new Float64Array(0);
  const points = iterationPoints(
    {
      rows: rows.length,
      instance: instance ?? none,
      startNs: startNs ?? none,
      endNs: endNs ?? none,
      passes: passes ?? none,
      prefillTokens: prefillTokens ?? none,
      decodeSequences: decodeSequences ?? none,
      contextTokens: contextTokens ?? none,
    },
    (i) => {
      const card = cards[i];
      if (card === undefined) throw new Error(`no instance ${i}`);
      return card.setting;
    },
  );
  return points.map((point) => {
    const { ceilings } = cards[Number(point.id.split(':')[1])] ?? {};
    const assessment = ceilings === undefined ? undefined : assess(point, ceilings);
    return [point.id, assessment?.efficiency ?? 0] as const;
  });
}

const onCards = catalog.filter((target) =>
  target.variants.some(({ id }) =>
    shortSpec(target, id)
      .cluster.instances.map(modelled)
      .some(({ cost }) => cost.kind === 'roofline'),
  ),
);

describe('no point of a simulated run lies above its roof', () => {
  test.each(onCards.map((target) => [target.id, target] as const))(
    '%s, every variant',
    (_, target) => {
      for (const { id } of target.variants) {
        for (const [point, efficiency] of efficiencies(shortSpec(target, id))) {
          expect(efficiency, `${target.id} ${id} ${point}`).toBeLessThanOrEqual(1);
          expect(efficiency, `${target.id} ${id} ${point}`).toBeGreaterThan(0);
        }
      }
    },
    60_000,
  );
});
