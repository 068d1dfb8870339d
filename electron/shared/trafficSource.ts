import { withoutOversized } from '../../workloads/engines/sim/oversized.ts';
import type { RunSpec } from '../../workloads/run/spec.ts';
import { generate, replicateSeed } from '../../workloads/traffic/generate.ts';
import { preview } from '../../workloads/traffic/preview.ts';
import { lookAtTrace, readTraffic } from '../../workloads/traffic/readTraffic.ts';
import type { Traffic } from '../../workloads/traffic/traffic.ts';
import type { TrafficSketch } from '../../workloads/traffic/trafficLook.ts';
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
  );
  const kept =
    traffic.drop_oversized === true && cluster !== undefined ? withoutOversized(cluster, read) : read;
  return () => kept;
}

/** What traffic looks like before it is run; a recorded trace may be larger than memory. */
export async function lookAtTraffic(
  { traffic, seed }: Pick<RunSpec, 'traffic' | 'seed'>,
  bins?: number,
): Promise<TrafficSketch> {
  if (traffic.kind !== 'trace') return preview(generate(traffic, replicateSeed(seed, 0)), bins);
  checkReadable(traffic.path, 'a trace of requests');
  return lookAtTrace(traffic, (path) => openBytes(path, () => undefined), bins);
}
