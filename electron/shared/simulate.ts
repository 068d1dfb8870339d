import { simEngine } from '../../workloads/engines/sim/engine.ts';
import type { RunSpec } from '../../workloads/run/spec.ts';
import type { Summary } from '../../workloads/run/summary.ts';
import type { EventSink } from '../../workloads/run/tables.ts';
import type { Traffic } from '../../workloads/traffic/traffic.ts';
import { loadOperatorTables, pinOperatorTables } from './operatorSource.ts';
import { trafficSource } from './trafficSource.ts';

const nowhere: EventSink = {
  wants: [],
  batch: () => undefined,
  progress: () => undefined,
  log: () => undefined,
};

/** Traffic read lately, by its spec: a sweep asks for the same trace again and again. */
const kept = new Map<string, (replicate: number) => Traffic>();
const mostKept = 4;

/** Runs a spec on the simulator for its summary alone: nothing is written anywhere. Throws InputError. */
export async function simulate(unpinned: RunSpec): Promise<Summary> {
  const spec = pinOperatorTables(unpinned);
  await loadOperatorTables(spec);
  const trafficOf = await trafficFor(spec);
  const run = simEngine.open(spec, trafficOf, nowhere);
  while (!run.step(Number.POSITIVE_INFINITY, 1_000_000));
  return run.finish();
}

async function trafficFor(spec: RunSpec): Promise<(replicate: number) => Traffic> {
  const drops = spec.traffic.kind === 'trace' && spec.traffic.drop_oversized === true;
  // What fits depends on the KV memory only where oversized requests are dropped.
  const key = JSON.stringify([spec.traffic, spec.seed, ...(drops ? [spec.cluster] : [])]);
  const found = kept.get(key);
  if (found !== undefined) return found;
  const source = await trafficSource(spec);
  const drawn = new Map<number, Traffic>();
  const traffic = (replicate: number): Traffic => {
    const known = drawn.get(replicate) ?? source(replicate);
    drawn.set(replicate, known);
    return known;
  };
  for (const oldest of kept.keys()) {
    if (kept.size < mostKept) break;
    kept.delete(oldest);
  }
  kept.set(key, traffic);
  return traffic;
}
