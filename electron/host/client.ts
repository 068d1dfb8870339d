import type { z } from 'zod';
import type { HostEvent } from '../contract/events.ts';
import type { HostMethod, HostResults, hostMethods } from '../contract/protocol.ts';
import { filesOf, type Grants } from './grants.ts';
import type { LiveFeed } from './live/liveFeed.ts';

/** The host's methods; each room contributes its own. */
export type Methods = {
  readonly [M in HostMethod]: (
    params: z.output<(typeof hostMethods)[M]>,
    client: Client,
  ) => Promise<HostResults[M]> | HostResults[M];
};

/** A connection to the host: a window, or the command line. */
export interface Client {
  readonly grants: Grants;
  readonly send: (event: HostEvent) => void;
  feed: LiveFeed | undefined;
  /** The GPUs, whatever run is shown. */
  machineFeed: LiveFeed | undefined;
}

/** Rejects where the spec names a file that this client may not read. */
export async function requireGranted(client: Client, spec: unknown): Promise<void> {
  for (const file of filesOf(spec)) await client.grants.read(file);
}
