import type { GroupLinkSpec } from '../run/moeSpec.ts';

/**
 * Time of an all-reduce of `bytes` per GPU among n, ns. Each step costs the link's latency, each byte its bandwidth:
 *
 *   ring      2 (n − 1) steps, 2 (n − 1)/n × bytes        NCCL's ring; best for large messages
 *   tree      2 log2(n) steps, 2 × bytes                  up and down a binary tree, pipelined in chunks
 *   one_shot  1 step, (n − 1) × bytes                     every rank reads every rank (vLLM and TensorRT-LLM, small messages)
 *   two_shot  2 steps, 2 (n − 1)/n × bytes                reduce-scatter and all-gather by direct reads
 *
 * Measured, 8 × H100 on NVSwitch, NCCL (Vidur's h100_dgx/all_reduce.csv, medians): 1 MiB 33.5 µs, 2 MiB 39, 29.4 MB 180,
 * 50.3 MB 271. Ring with 360 GB/s and 2 µs per step: 33.1, 38.2, 170.7, 272.7. The 2 µs were chosen at 1 MiB, the others follow.
 */
export type AllReduce = 'ring' | 'tree' | 'one_shot' | 'two_shot';

export function allReduceNs(algorithm: AllReduce, n: number, bytes: number, link: GroupLinkSpec): number {
  if (n < 2) return 0;
  const step = link.latency_us * 1e3;
  const perByte = 1 / link.bandwidth_gb_per_s;
  switch (algorithm) {
    case 'ring':
      return 2 * (n - 1) * step + ((2 * (n - 1)) / n) * bytes * perByte;
    case 'tree':
      return 2 * Math.ceil(Math.log2(n)) * step + 2 * bytes * perByte;
    case 'one_shot':
      return step + (n - 1) * bytes * perByte;
    case 'two_shot':
      return 2 * step + ((2 * (n - 1)) / n) * bytes * perByte;
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
): number {
  let best = Number.POSITIVE_INFINITY;
  for (const algorithm of among) best = Math.min(best, allReduceNs(algorithm, n, bytes, link));
  return best;
}
