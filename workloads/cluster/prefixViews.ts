import { InputError } from '../run/inputError.ts';
import type { PrefixViewSpec } from '../run/routerViewSpec.ts';
import type { Instance } from '../serving/instance.ts';
import { KvPool, type PoolJournal } from '../serving/kvPool.ts';
import type { PrefixIndex, Replica } from '../serving/replica.ts';
import type { Blocks, Ns } from '../units.ts';

/** The event of a cache that lost all it held. */
const everything = Number.NEGATIVE_INFINITY;

/** What a router believes to be in the prefix cache of each instance. */
export interface PrefixView {
  /** How many leading ids of ids[from .. to) instance i is believed to hold at t. Instances were advanced to t. */
  match(i: number, ids: Int32Array, from: number, to: number, t: Ns): Blocks;
  /** The router sent a prompt with these ids there. */
  sent(i: number, ids: Int32Array, from: number, to: number): void;
}

/** The caches themselves. */
class ExactView implements PrefixView {
  private readonly caches: readonly PrefixIndex[];
  constructor(caches: readonly PrefixIndex[]) {
    this.caches = caches;
  }
  match(i: number, ids: Int32Array, from: number, to: number): Blocks {
    return this.caches[i]?.match(ids, from, to) ?? 0;
  }
  sent(): void {}
}

/**
 * Events of one instance's cache on their way to the index:
 *
 *   cache   ──+7──+8────−3──►            the index at t holds what the cache held at t − delay
 *   index         ──+7──+8────−3──►
 */
class EventStream implements PoolJournal {
  /** What the index has been told. */
  readonly present = new Set<number>();
  private readonly instance: Instance;
  /** Under way, oldest first; an eviction is −1 − id. */
  private times: Ns[] = [];
  private events: number[] = [];
  private head = 0;
  private latest: Ns = 0;

  constructor(instance: Instance) {
    this.instance = instance;
  }

  added(id: number): void {
    this.push(id);
  }
  dropped(id: number): void {
    this.push(-1 - id);
  }
  cleared(): void {
    this.push(everything);
  }
  notBefore(t: Ns): void {
    if (t > this.latest) this.latest = t;
  }
  private push(event: number): void {
    this.notBefore(this.instance.now);
    this.times.push(this.latest);
    this.events.push(event);
  }

  /** Takes in what happened up to t. */
  receive(t: Ns): void {
    const { times, events, present } = this;
    while (this.head < times.length && (times[this.head] ?? 0) <= t) {
      const event = events[this.head++] ?? 0;
      if (event >= 0) present.add(event);
      else if (event === everything) present.clear();
      else present.delete(-1 - event);
    }
    if (this.head < 4096 || 2 * this.head < times.length) return;
    this.times = times.slice(this.head);
    this.events = events.slice(this.head);
    this.head = 0;
  }
}

class EventsView implements PrefixView {
  private readonly streams: readonly EventStream[];
  private readonly delayNs: Ns;

  constructor(streams: readonly EventStream[], delayNs: Ns) {
    this.streams = streams;
    this.delayNs = delayNs;
  }

  match(i: number, ids: Int32Array, from: number, to: number, t: Ns): Blocks {
    const stream = this.streams[i];
    if (stream === undefined) return 0;
    stream.receive(t - this.delayNs);
    let at = from;
    while (at < to && stream.present.has(ids[at] ?? -1)) at++;
    return at - from;
  }
  sent(): void {}
}

/** Prefixes that this router itself sent: exact only where no other router sends requests and the caches evict in the same order. */
class OwnView implements PrefixView {
  private readonly trees: readonly KvPool[];

  constructor(sizes: readonly Blocks[]) {
    this.trees = sizes.map((blocks) => new KvPool(blocks));
  }

  match(i: number, ids: Int32Array, from: number, to: number): Blocks {
    return this.trees[i]?.match(ids, from, to) ?? 0;
  }

  sent(i: number, ids: Int32Array, from: number, to: number): void {
    const tree = this.trees[i];
    if (tree === undefined || to - from > tree.total) return;
    const hit = tree.match(ids, from, to);
    tree.hold(ids, from, hit);
    tree.take(to - from - hit);
    for (let at = from + hit; at < to; at++) tree.publish(ids[at] ?? -1);
    tree.release(ids, from, to - from);
  }
}

/**
 * One view per router replica. The index of events is one, and all replicas read it. Throws InputError where a replica does
 * not show what the view needs.
 */
export function prefixViews(
  spec: PrefixViewSpec,
  replicas: readonly Replica[],
  instances: readonly Instance[],
  routers: number,
): readonly PrefixView[] {
  const each = (make: () => PrefixView) => Array.from({ length: routers }, make);
  const caches = replicas.flatMap(({ prefixes }) => (prefixes === undefined ? [] : [prefixes]));
  if (caches.length < replicas.length) {
    throw new InputError(
      `policy.view.prefix: ${replicas.length - caches.length} of ${replicas.length} instances show no prefix cache, expected a router that needs none`,
    );
  }
  switch (spec.kind) {
    case 'exact': {
      const view = new ExactView(caches);
      return each(() => view);
    }
    case 'events': {
      if (instances.length < replicas.length) {
        throw new InputError(
          'policy.view.prefix: events of servers arrive with their own delay, expected exact or own',
        );
      }
      const streams = instances.map((instance) => {
        const stream = new EventStream(instance);
        instance.pool.journal = stream;
        return stream;
      });
      const view = new EventsView(streams, Math.round(spec.delay_ms * 1e6));
      return each(() => view);
    }
    case 'own': {
      const sizes = caches.map((cache) => cache.total);
      return each(() => new OwnView(sizes));
    }
    default: {
      const never: never = spec;
      return never;
    }
  }
}
