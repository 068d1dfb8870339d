import type { GroupLinkSpec } from '../run/moeSpec.ts';

/**
 * Time of an all-reduce of `bytes` per GPU among n, ns. Each step costs the link's latency, each byte its bandwidth:
 *
 *   ring      start + 2 (n − 1) steps, 2 (n − 1)/n × bytes at 1 − 0.4/n of the link     NCCL, measured (below)
 *   tree      start + 2 log2(n) steps, 2 × bytes          up and down a binary tree, pipelined in chunks
 *   one_shot  1 step, (n − 1) × bytes                     every rank reads every rank (vLLM and TensorRT-LLM, small messages)
 *   two_shot  2 steps, 2 (n − 1)/n × bytes                reduce-scatter and all-gather by direct reads
 *
 * Only the ring was held against measurements: NCCL on 2, 4 and 8 × H100 with NVSwitch (Vidur's h100_dgx/all_reduce.csv, medians),
 * which gave the three constants: a start of 12 µs, 1.2 µs per step over NVLink, and the share of the link that few GPUs reach
 * (2: 0.8, 4: 0.9, 8: 0.95). Our own 2 × H200 agree: 18.5 µs for 1 KiB, 290 GB/s for 256 MiB. What is used is checked in
 * `moe.test.ts`. The other three are lower bounds of their algorithms, with no measurement at hand: no target uses them unasked.
 */
/** NCCL's launch and first handshake. */
const ringStartUs = 12;
/** A ring's step over NVLink. */
export const nvlinkStepUs = 1.2;

export type AllReduce = 'ring' | 'tree' | 'one_shot' | 'two_shot';

export function allReduceNs(
  algorithm: AllReduce,
  n: number,
  bytes: number,
  link: GroupLinkSpec,
  directStartUs = 0,
): number {
  if (n < 2) return 0;
  const step = link.latency_us * 1e3;
  const perByte = 1 / link.bandwidth_gb_per_s;
  const bytesOfRing = ((2 * (n - 1)) / n) * bytes * perByte;
  switch (algorithm) {
    case 'ring':
      return ringStartUs * 1e3 + 2 * (n - 1) * step + bytesOfRing / (1 - 0.4 / n);
    case 'tree':
      return ringStartUs * 1e3 + 2 * Math.ceil(Math.log2(n)) * step + 2 * bytes * perByte;
    case 'one_shot':
      return directStartUs * 1e3 + step + (n - 1) * bytes * perByte;
    case 'two_shot':
      return directStartUs * 1e3 + 2 * step + bytesOfRing;
    default: {
      const never: never = algorithm;
      return never;
    }
  }
}

/** The fastest of those given, by size: what an engine with a size threshold does. */
export function fastestAllReduceNs(
  among: readonly AllReduce[],
  n: number,
  bytes: number,
  link: GroupLinkSpec,
  directStartUs = 0,
): number {
  let best = Number.POSITIVE_INFINITY;
  for (const algorithm of among) best = Math.min(best, allReduceNs(algorithm, n, bytes, link, directStartUs));
  return best;
}
