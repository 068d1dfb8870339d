import type { Ns, Tokens } from '../../../units.ts';
import {
  type DeviceAnswer,
  type DeviceInstance,
  type DevicePass,
  type DeviceResult,
  rowPrefill,
  rowSamples,
} from '../device.ts';
import type { TablePoint } from './tablePoints.ts';

/** The pass of a point, its sequences on blocks of their own: nothing of one is in the cache because of another. */
export function passOf(point: TablePoint, blockTokens: Tokens, vocabulary: number): DevicePass {
  const { chunk, before, sequences, context } = point;
  const rows = sequences + (chunk > 0 ? 1 : 0);
  const starts = new Int32Array(rows).fill(context - 1);
  const counts = new Int32Array(rows).fill(1);
  const flags = new Uint8Array(rows).fill(rowSamples);
  if (chunk > 0) {
    starts[0] = before;
    counts[0] = chunk;
    flags[0] = rowPrefill | rowSamples;
  }
  const offsets = new Int32Array(rows + 1);
  for (let row = 0; row < rows; row++) {
    offsets[row + 1] =
      (offsets[row] ?? 0) + Math.ceil(((starts[row] ?? 0) + (counts[row] ?? 0)) / blockTokens);
  }
  return {
    slots: Int32Array.from({ length: rows }, (_, row) => row),
    starts,
    counts,
    flags,
    tokens: Int32Array.from({ length: chunk + sequences }, (_, i) => (i * 7919) % vocabulary),
    blockOffsets: offsets,
    blocks: Int32Array.from({ length: offsets[rows] ?? 0 }, (_, i) => i),
  };
}

export const runPass = (instance: DeviceInstance, pass: DevicePass): Promise<DeviceAnswer<DeviceResult>> =>
  new Promise((resolve) => instance.pass(pass, resolve));

export interface Measured {
  readonly medianNs: Ns;
  readonly repetitions: number;
}

const warmUps = 2;
const leastRepetitions = 3;
const mostRepetitions = 15;
/** Short passes are repeated more often. */
const enoughNs = 60e6;

/** Median time of a pass on the device. */
export async function measurePass(
  instance: DeviceInstance,
  pass: DevicePass,
): Promise<DeviceAnswer<Measured>> {
  const times: number[] = [];
  let total = 0;
  for (let i = 0; i < warmUps + mostRepetitions; i++) {
    const answer = await runPass(instance, pass);
    if (!answer.ok) return answer;
    if (i < warmUps) continue;
    const ns = Number(answer.value.endNs - answer.value.startNs);
    times.push(ns);
    total += ns;
    if (times.length >= leastRepetitions && total >= enoughNs) break;
  }
  return { ok: true, value: { medianNs: median(times), repetitions: times.length } };
}

/** Median time between two passes of which the second is asked for when the first has answered: launch and answer. */
export async function measureGap(
  instance: DeviceInstance,
  pass: DevicePass,
  passes = 60,
): Promise<DeviceAnswer<Ns>> {
  const gaps: number[] = [];
  let last: bigint | undefined;
  for (let i = 0; i < passes; i++) {
    const answer = await runPass(instance, pass);
    if (!answer.ok) return answer;
    if (last !== undefined) gaps.push(Number(answer.value.startNs - last));
    last = answer.value.endNs;
  }
  return { ok: true, value: median(gaps) };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1
    ? (sorted[middle] ?? 0)
    : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}
