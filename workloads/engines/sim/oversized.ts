import { InputError } from '../../run/inputError.ts';
import type { RunSpec } from '../../run/spec.ts';
import { filtered } from '../../traffic/shape.ts';
import type { Traffic } from '../../traffic/traffic.ts';
import { blockTokensOf, kvBlocksOf } from './checkSpec.ts';

/**
 * The requests whose KV cache fits into the memory of every instance; the others are counted in the traffic's source.
 *
 * @throws InputError where none is left
 */
export function withoutOversized(cluster: RunSpec['cluster'], traffic: Traffic): Traffic {
  const spec = { cluster };
  const size = blockTokensOf(spec, traffic);
  const smallest = Math.min(
    ...cluster.instances.map(({ kv_blocks: blocks }) => kvBlocksOf(spec, blocks, size)),
  );
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
