import type { Traffic } from './traffic.ts';

/**
 * The traffic with the ids of complete blocks only. Traces name the last, partly filled block of a prompt as well; where KV
 * memory is real, an answer goes on in that block, so two requests cannot share it.
 */
export function wholeBlocks(traffic: Traffic): Traffic {
  const { blockTokens, requests, promptTokens, blockOffsets, blockIds } = traffic;
  if (blockTokens === 0) return traffic;
  const offsets = new Int32Array(requests + 1);
  for (let r = 0; r < requests; r++) {
    const named = (blockOffsets[r + 1] ?? 0) - (blockOffsets[r] ?? 0);
    const whole = Math.min(named, Math.floor((promptTokens[r] ?? 0) / blockTokens));
    offsets[r + 1] = (offsets[r] ?? 0) + whole;
  }
  const ids = new Int32Array(offsets[requests] ?? 0);
  for (let r = 0; r < requests; r++) {
    const from = blockOffsets[r] ?? 0;
    const to = offsets[r] ?? 0;
    ids.set(blockIds.subarray(from, from + (offsets[r + 1] ?? 0) - to), to);
  }
  return { ...traffic, blockOffsets: offsets, blockIds: ids };
}
