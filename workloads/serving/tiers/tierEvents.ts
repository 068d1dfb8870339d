import type { TierKind } from '../../run/kvSpec.ts';
import type { Blocks, Bytes, Ns } from '../../units.ts';

/** `fetch`: all that one request waits for. `promote`, `demote`: one transfer up, down. `drop`: blocks that are gone. */
export type TierEvent = 'fetch' | 'promote' | 'demote' | 'drop';

/** Receives what the tiers do. `at` is the start of the transfer; −1 stands for no request or no instance. */
export interface TierEvents {
  tierEvent(
    at: Ns,
    kind: TierEvent,
    tier: TierKind | '',
    request: number,
    from: number,
    to: number,
    blocks: Blocks,
    bytes: Bytes,
    duration: Ns,
  ): void;
}
