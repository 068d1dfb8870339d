import type { MadeReplicas, MakeRequest } from '../../cluster/replicaMaker.ts';
import type { Profile } from '../../cost/costModels.ts';
import { Sketch } from '../../metrics/sketch.ts';
import { findRouter } from '../../routing/routers.ts';
import type { ClientSummary } from '../../run/clientSummary.ts';
import type { Engine, HostTime, Run } from '../../run/engine.ts';
import { InputError } from '../../run/inputError.ts';
import type { ServerInstance } from '../../run/instanceSpec.ts';
import { serverOffers } from '../../run/offers.ts';
import type { RunSpec } from '../../run/spec.ts';
import type { Summary } from '../../run/summary.ts';
import type { EventSink } from '../../run/tables.ts';
import type { Traffic } from '../../traffic/traffic.ts';
import { type Ns, nsPerSecond } from '../../units.ts';
import { WallRun } from '../wall/wallRun.ts';
import { RecordColumns } from './clientColumns.ts';
import { clientSummary } from './clientSummaryOf.ts';
import { HttpClient } from './httpClient.ts';
import { profileServers } from './profileServers.ts';
import type { LinkEvents } from './replicaPrefixes.ts';
import { RequestMessages } from './requestMessages.ts';
import { type SelfTest, selfTest } from './selfTest.ts';
import type { HttpHost, OpenedReceiver, ServerLink, Watch } from './serverLink.ts';
import { type GroupCounts, type ServerGroup, ServerReplica } from './serverReplica.ts';
import { EventPrefixes } from './servers/eventPrefixes.ts';

/**
 * How long before its arrival a request is routed and handed to the sender, which sends it on time by itself: twice as long
 * as this thread was late lately, so that a busy machine makes decisions earlier and not requests later.
 */
const leastLeadNs: Ns = 5e6;
const mostLeadNs: Ns = 200e6;
const sweepEvery: Ns = 0.2 * nsPerSecond;

/** Servers with an OpenAI-compatible API serve; Dyno sends, routes and watches. */
export const httpEngine = (host: HttpHost): Engine => ({
  id: 'http',
  virtualTime: false,
  offers: serverOffers,
  check: (spec) => void serversOf(spec),
  open: (spec, trafficOf, sink, time) => HttpRun.open(host, spec, trafficOf, sink, time),
});

/** Throws InputError where something else than a server is to serve. */
export function serversOf(spec: RunSpec): readonly ServerInstance[] {
  return spec.cluster.instances.map((instance) => {
    if (instance.serves === 'server') return instance;
    throw new InputError(
      `cluster.instances (${instance.name}): serves ${instance.serves}, expected a server: engine http needs --server URL, once for each`,
    );
  });
}

/** What one run of the engine holds. */
class HttpRun {
  private readonly host: HttpHost;
  private readonly sink: EventSink;
  private readonly time: HostTime;
  private readonly links: readonly ServerLink[];
  private readonly watches: readonly Watch[];
  private readonly kvEvents: readonly (LinkEvents | undefined)[];
  private readonly unsubscribe: (() => void)[] = [];
  private readonly opened: OpenedReceiver;
  private readonly client: HttpClient;
  private readonly tested: SelfTest | undefined;
  private readonly profiles: readonly (Profile | undefined)[];
  private readonly chunkMs = new Sketch();
  private readonly counts: GroupCounts = {
    failedTokens: 0,
    lengthMismatches: 0,
    promptMismatches: 0,
    failures: new Map(),
  };
  private replicas: readonly ServerReplica[] = [];
  private readonly allReplicas: ServerReplica[] = [];
  /** Which replica a row of the client belongs to. */
  private readonly replicaOfRow: ServerReplica[] = [];
  private sweptNs: Ns = 0;
  private leadNs: Ns = 2 * leastLeadNs;
  private longestLeadNs: Ns = 0;

  private constructor(
    host: HttpHost,
    sink: EventSink,
    time: HostTime,
    links: readonly ServerLink[],
    tested: SelfTest | undefined,
    profiles: readonly (Profile | undefined)[],
  ) {
    this.host = host;
    this.sink = sink;
    this.time = time;
    this.links = links;
    this.tested = tested;
    this.profiles = profiles;
    this.watches = links.map((link) => host.watchMetrics(link, time));
    this.kvEvents = links.map((link) => this.subscribe(link));
    this.opened = host.receiver(time, usesTls(links), () => {
      this.client.poll();
    });
    this.client = new HttpClient(
      this.opened.receiver,
      links.map(({ address }) => address),
      {
        tokens: (row, at, count) => this.replicaOfRow[row]?.tokens(row, at, count),
        over: (row) => this.replicaOfRow[row]?.over(row),
      },
    );
  }

  static async open(
    host: HttpHost,
    spec: RunSpec,
    trafficOf: (replicate: number) => Traffic,
    sink: EventSink,
    time: HostTime,
  ): Promise<Run> {
    const links = await host.connect(serversOf(spec));
    for (const link of links) sink.log('info', greeting(link));
    const tested = await selfTest(host, time, usesTls(links), trafficOf(0));
    const needsProfile = findRouter(spec.policy.router)?.needs.telemetry === true;
    const profiles = needsProfile ? await profileServers(host, time, usesTls(links), links) : [];
    for (const [i, profile] of profiles.entries()) sink.log('info', profileLine(links[i], profile));
    const run = new HttpRun(host, sink, time, links, tested, profiles);
    const { opened } = run;
    sink.log(
      opened.reason === undefined ? 'info' : 'warning',
      `client: ${opened.receiver.status().kind} receiver, stamps of the ${opened.stamps}${opened.reason === undefined ? '' : ` (${opened.reason})`}`,
    );
    host.loop();
    return WallRun.open(spec, trafficOf, sink, time, {
      maker: (request) => run.make(request),
      get leadNs() {
        return run.leadNs;
      },
      arrivedLate: (ns) => run.arrivedLate(ns),
      turn: () => run.turn(),
      rest: (isResting) => host.rest(isResting),
      amend: (summary) => run.amend(summary),
      close: () => {
        run.close();
        return Promise.resolve();
      },
    });
  }

  private subscribe(link: ServerLink): LinkEvents | undefined {
    const events: LinkEvents = { index: new EventPrefixes(), isLive: false };
    const stop = this.host.watchEvents(
      link,
      (batch) => {
        events.isLive = true;
        for (const event of batch.events) events.index.apply(event);
      },
      () => {
        events.isLive = false;
        events.index.clear();
        this.sink.log(
          'warning',
          `${link.instance.name}: its KV events broke off; the prefix index falls back to what was sent`,
        );
      },
    );
    if (stop === undefined) return undefined;
    this.unsubscribe.push(stop);
    return events;
  }

  private make(request: MakeRequest): MadeReplicas {
    const { state, events, itlMs, replicate, wall } = request;
    const { requests } = state;
    requests.outputTokens = requests.outputTokens.slice();
    requests.cachedReported = new Uint8Array(requests.count);
    const messages = new RequestMessages(state.traffic, this.host.runSalt, replicate);
    const group: ServerGroup = {
      state,
      events,
      client: this.client,
      itlMs,
      chunkMs: this.chunkMs,
      originNs: wall?.originNs ?? 0,
      message: (r, link) => messages.of(r, link),
      blocks: (ids, from, to, link) => messages.blocks(ids, from, to, link),
      counts: this.counts,
    };
    const columns = new RecordColumns(this.client.records, requests.count, group.originNs);
    requests.client = columns;
    this.replicas = this.links.map((link, i) => {
      const watch = this.watches[i] ?? { latest: undefined, stop: () => undefined };
      return new ServerReplica(
        i,
        link,
        group,
        watch,
        this.profiles[i],
        this.kvEvents[i],
        (r, row, replica) => {
          this.replicaOfRow[row] = replica;
          columns.sent(r, row);
        },
      );
    });
    this.allReplicas.push(...this.replicas);
    return { replicas: this.replicas, instances: [] };
  }

  /** This thread came to an arrival so long after it meant to. */
  private arrivedLate(ns: Ns): void {
    const wanted = Math.min(mostLeadNs, Math.max(leastLeadNs, 2 * ns));
    // Up at once, down slowly.
    this.leadNs = wanted > this.leadNs ? wanted : this.leadNs + 0.02 * (wanted - this.leadNs);
    this.longestLeadNs = Math.max(this.longestLeadNs, this.leadNs);
  }

  /** Called at each step of the run. */
  private turn(): void {
    this.client.poll();
    const now = this.time.now();
    if (now - this.sweptNs < sweepEvery) return;
    this.sweptNs = now;
    this.client.sweep(now);
  }

  private amend(summary: Summary): Summary {
    const { client, opened, counts, chunkMs, tested } = this;
    const made = clientSummary({
      records: client.records,
      opened,
      counts,
      chunkMs,
      tested,
      loop: this.host.loop(),
      replicas: this.allReplicas,
      badUtf8Events: client.badUtf8Events,
      longestLeadNs: this.longestLeadNs,
      summary,
    });
    for (const doubt of made.doubts) this.sink.log('warning', doubt);
    this.sink.log('info', cacheLine(made, summary));
    return { ...summary, client: made };
  }

  private close(): void {
    this.client.withdrawAll(this.time.now());
    for (const watch of this.watches) watch.stop();
    for (const stop of this.unsubscribe) stop();
    this.opened.receiver.close();
  }
}

const usesTls = (links: readonly ServerLink[]): boolean =>
  links.some(({ address }) => address.tlsName !== undefined);

function profileLine(link: ServerLink | undefined, profile: Profile | undefined): string {
  const name = link?.instance.name ?? '';
  if (profile === undefined) return `${name}: no profile could be measured; routers know it by its work only`;
  const { prefillRate, decodeNs, perSequenceNs } = profile;
  return `${name}: idle, it computes ${Math.round(prefillRate)} prompt tokens/s and ${(decodeNs / 1e6).toFixed(2)} ms per token, ${(perSequenceNs / 1e6).toFixed(2)} ms more per further sequence`;
}

/** How cold the servers' prefix caches were when the run began, and what was found in them. */
function cacheLine({ servers }: ClientSummary, { kv }: Summary): string {
  const ways = [...new Set(servers.map(({ cold_cache: by }) => by))].join(', ');
  const isReported = servers.some(({ hit_rate: rate }) => rate !== undefined);
  const found = isReported
    ? `${(100 * kv.hit_rate).toFixed(1)} % of the prompt tokens came from prefix caches`
    : 'no server reports how many prompt tokens came from its prefix cache';
  return `prefix caches: cold at the start of each replicate (${ways}); ${found}`;
}

/** One line on what was found. */
function greeting({ instance, report, dialect, abilities, model }: ServerLink): string {
  const yes = report.capabilities.filter(({ state }) => state === 'yes').map(({ label }) => label);
  const prompts = abilities.tokenIds ? 'token ids' : 'text';
  return `${instance.name} (${instance.url}): ${report.dialect ?? 'unknown'}${report.version === undefined ? '' : ` ${report.version}`}, model ${model ?? 'unnamed'}, ${dialect}, prompts as ${prompts}; it has ${yes.join(', ') || 'nothing more'}`;
}
