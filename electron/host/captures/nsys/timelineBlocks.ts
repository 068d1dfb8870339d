import type { Ns } from '../../../../workloads/units.ts';
import type { Intervals } from './activity.ts';

/** One lane between two times: an event, or several that a pixel cannot keep apart (`name` −1 where their names differ). */
export interface Block {
  startNs: Ns;
  endNs: Ns;
  name: number;
  events: number;
}

/**
 * A lane for a picture of `width` pixels. Events shorter than a pixel are joined with neighbours less than a pixel away:
 *
 *     events   |==========|  | | ||   |            pixel |--|
 *     blocks   |==========|  |####|   |            the rest keep their names
 *
 * So a lane has at most about two blocks per pixel, and no event vanishes.
 */
export function timelineBlocks(
  lane: Intervals & { readonly name: Float64Array },
  fromNs: Ns,
  toNs: Ns,
  width: number,
): Block[] {
  const pixel = (toNs - fromNs) / width;
  const blocks: Block[] = [];
  let joined: Block | undefined;
  for (let i = 0; i < lane.startNs.length; i += 1) {
    const startNs = lane.startNs[i] ?? 0;
    if (startNs > toNs) break;
    const endNs = lane.endNs[i] ?? startNs;
    if (endNs < fromNs) continue;
    const name = lane.name[i] ?? -1;
    const isShort = endNs - startNs < pixel;
    if (isShort && joined !== undefined && startNs - joined.endNs < pixel) {
      joined.endNs = Math.max(joined.endNs, endNs);
      joined.events += 1;
      if (joined.name !== name) joined.name = -1;
      continue;
    }
    const block = { startNs, endNs, name, events: 1 };
    blocks.push(block);
    joined = isShort ? block : undefined;
  }
  return blocks;
}
