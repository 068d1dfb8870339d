import type { HostTime } from '../../run/engine.ts';
import type { ServerInstance } from '../../run/instanceSpec.ts';
import type { Ns } from '../../units.ts';
import type { Address, Receiver } from './receiver.ts';
import type { Dialect, ServerAbilities } from './requestBytes.ts';
import type { KvBatch } from './servers/kvEvents.ts';
import type { ServerReadings } from './servers/serverReadings.ts';
import type { ServerReport } from './servers/serverReport.ts';

/** A server that answered its probe: where requests go, what it takes. */
export interface ServerLink {
  readonly instance: ServerInstance;
  readonly report: ServerReport;
  readonly address: Address;
  /** Host header. */
  readonly host: string;
  /** Path before the API's own, without a slash at its end. */
  readonly base: string;
  /** Authorization, where a key is given. It is in no record. */
  readonly headers: Readonly<Record<string, string>>;
  readonly dialect: Dialect;
  readonly abilities: ServerAbilities;
  readonly model: string | undefined;
}

/** What one look at a server's own figures brought. */
export interface ServerLook {
  readonly readings: ServerReadings;
  /** On the host's clock. */
  readonly takenNs: Ns;
}

export interface Watch {
  /** The latest reading; undefined before the first, or where the server has no metrics. */
  readonly latest: ServerLook | undefined;
  stop(): void;
}

export interface OpenedReceiver {
  readonly receiver: Receiver;
  readonly stamps: 'kernel' | 'clock';
  readonly reason?: string;
}

/** A stamped server on this machine, for the self-test. */
export interface Ruler {
  readonly address: Address;
  /** Add to a written time of its events to get ns on the host's clock. */
  readonly offsetNs: number;
  stop(): void;
}

/** What the http engine needs of its surroundings; the runner gives it. */
export interface HttpHost {
  /** Probes every server and resolves its name. Throws InputError with one line for each that cannot serve. */
  connect(servers: readonly ServerInstance[]): Promise<readonly ServerLink[]>;
  /** Times of its records are on the host's clock. */
  receiver(time: HostTime, tls: boolean, wake: () => void): OpenedReceiver;
  watchMetrics(link: ServerLink, time: HostTime): Watch;
  /** Undefined where the server has no address for KV events. */
  watchEvents(link: ServerLink, batch: (batch: KvBatch) => void, lost: () => void): (() => void) | undefined;
  /** Undefined where it cannot be started. */
  ruler(time: HostTime): Ruler | undefined;
  /** Event-loop delay since the last call, p99 in ms, and the loop's utilisation, 0..1. */
  loop(): { readonly delayP99Ms: number; readonly utilisation: number };
  /** Leaves out of `loop` the time between two replicates, in which another run has its turn. */
  rest(isResting: boolean): void;
  /** Differs from run to run: prompts and cache salts are made of it, so that no run finds another's prefixes. */
  readonly runSalt: number;
}
