import { blockTokensOf, kvBlocksOf } from '../../cluster/blocks.ts';
import { InputError } from '../../run/inputError.ts';
import type { RunSpec } from '../../run/spec.ts';
import { filtered } from '../../traffic/shape.ts';
import type { Traffic } from '../../traffic/traffic.ts';

/**
 * The requests whose KV cache fits into the memory of every instance; the others are counted in the traffic's source.
 *
 * @throws InputError where none is left
 */
export function withoutOversized(cluster: RunSpec['cluster'], traffic: Traffic): Traffic {
  const spec = { cluster };
  const size = blockTokensOf(spec, traffic);
  // Servers and GPUs whose memory is not known until they run refuse on their own.
  const known = cluster.instances.flatMap(({ kv_blocks: blocks }) =>
    blocks === undefined ? [] : [kvBlocksOf(spec, blocks, size)],
  );
  if (known.length === 0) return traffic;
  const smallest = Math.min(...known);
  const fits = (r: number): boolean =>
    Math.ceil(((traffic.promptTokens[r] ?? 0) + (traffic.outputTokens[r] ?? 0) - 1) / size) <= smallest;
  const kept = filtered(traffic, fits);
  const dropped = traffic.requests - kept.requests;
  if (dropped === 0) return traffic;
  if (kept.requests === 0)
    throw new InputError(
      `${traffic.name}: none of ${traffic.requests} requests fits into ${smallest} KV blocks of ${size} tokens, expected some that do`,
    );
  const { source } = traffic;
  return source === undefined
    ? kept
    : { ...kept, source: { ...source, dropped_oversized: (source.dropped_oversized ?? 0) + dropped } };
}
