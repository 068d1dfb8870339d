import { withoutOversized } from '../../workloads/engines/sim/oversized.ts';
import type { RunSpec } from '../../workloads/run/spec.ts';
import { generate, replicateSeed } from '../../workloads/traffic/generate.ts';
import { readTraffic } from '../../workloads/traffic/readTraffic.ts';
import type { Traffic } from '../../workloads/traffic/traffic.ts';
import { checkReadable, openBytes } from './openFile.ts';

/** Thrown out of a reading that was cancelled. */
export class Cancelled extends Error {
  override readonly name = 'Cancelled';
}

/** The traffic of each replicate: a recorded trace is read once, generated traffic is drawn anew. */
export async function trafficSource(
  spec: Pick<RunSpec, 'traffic' | 'seed'> & Partial<Pick<RunSpec, 'cluster'>>,
  hooks: {
    readonly isCancelled?: () => boolean;
    readonly progress?: (done: number, total: number) => void;
    /** `count` for a look at a trace: its block ids are not kept. */
    readonly blocks?: 'keep' | 'count';
  } = {},
): Promise<(replicate: number) => Traffic> {
  const { traffic, seed, cluster } = spec;
  if (traffic.kind !== 'trace') return (replicate) => generate(traffic, replicateSeed(seed, replicate));
  const total = checkReadable(traffic.path, 'a trace of requests');
  const stopWhenCancelled = () => {
    if (hooks.isCancelled?.() === true) throw new Cancelled('cancelled while reading the trace');
  };
  const read = await readTraffic(
    traffic,
    (path) => openBytes(path, stopWhenCancelled),
    (done) => hooks.progress?.(done, Math.max(done, total)),
    hooks.blocks,
  );
  const kept =
    traffic.drop_oversized === true && cluster !== undefined ? withoutOversized(cluster, read) : read;
  return () => kept;
}
