import { randomInt } from 'node:crypto';
import { lookup } from 'node:dns/promises';
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { nativeFolder, openNative } from '../../../native/index.ts';
import type { Dialect, ServerAbilities } from '../../../workloads/engines/http/requestBytes.ts';
import type { HttpHost, Ruler, ServerLink, Watch } from '../../../workloads/engines/http/serverLink.ts';
import type { ServerReport } from '../../../workloads/engines/http/servers/serverReport.ts';
import type { HostTime } from '../../../workloads/run/engine.ts';
import { InputError } from '../../../workloads/run/inputError.ts';
import type { ServerInstance } from '../../../workloads/run/instanceSpec.ts';
import { KvSubscriber } from '../../shared/servers/kvSubscriber.ts';
import { MetricsPoller } from '../../shared/servers/metricsPoller.ts';
import { probeServer } from '../../shared/servers/probeServer.ts';
import { openReceiver } from './openReceiver.ts';

const pollEveryMs = 1000;

/** The http engine's surroundings in the runner. `moduleUrl` is the running file's own URL. */
export function httpHost(moduleUrl: string, env: NodeJS.ProcessEnv = process.env): HttpHost {
  const loop = monitorEventLoopDelay({ resolution: 1 });
  loop.enable();
  let since = performance.eventLoopUtilization();
  const work = { active: 0, idle: 0 };
  const addWork = (): void => {
    const { active, idle } = performance.eventLoopUtilization(since);
    since = performance.eventLoopUtilization();
    work.active += active;
    work.idle += idle;
  };
  return {
    connect: (servers) => connectAll(servers, env),
    receiver: (time, tls, wake) => openReceiver(moduleUrl, { origin: originOf(time), wake, tls }),
    watchMetrics: (link, time) => watchMetrics(link, time, env),
    watchEvents: ({ instance }, batch, lost) => {
      if (instance.kv_events === undefined) return undefined;
      const subscriber = new KvSubscriber({ endpoint: instance.kv_events, onBatch: batch, onLost: lost });
      return () => subscriber.close();
    },
    ruler: (time) => ruler(moduleUrl, time),
    loop: () => {
      addWork();
      const delayP99Ms = loop.percentile(99) / 1e6;
      const utilisation = work.active / (work.active + work.idle);
      loop.reset();
      work.active = work.idle = 0;
      return { delayP99Ms, utilisation };
    },
    rest: (isResting) => {
      if (isResting) {
        addWork();
        loop.disable();
        return;
      }
      since = performance.eventLoopUtilization();
      loop.enable();
    },
    runSalt: randomInt(1, 2 ** 31),
  };
}

/** `process.hrtime` at the zero of the host's clock: the tightest of several pairs of readings. */
function originOf(time: HostTime): bigint {
  let best = 0n;
  let tightest = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 20; i++) {
    const before = time.now();
    const clock = process.hrtime.bigint();
    const after = time.now();
    if (after - before >= tightest) continue;
    tightest = after - before;
    best = clock - BigInt(Math.round((before + after) / 2));
  }
  return best;
}

async function connectAll(
  servers: readonly ServerInstance[],
  env: NodeJS.ProcessEnv,
): Promise<readonly ServerLink[]> {
  const reports = await Promise.all(servers.map((server) => probeServer(server, { generates: true, env })));
  const links: ServerLink[] = [];
  const refusals: string[] = [];
  for (const [i, instance] of servers.entries()) {
    const report = reports[i];
    if (report === undefined) continue;
    if (report.reachable) links.push(await linkTo(instance, report, env));
    else refusals.push(`${instance.name} (${instance.url}): ${report.remark ?? 'not reachable'}`);
  }
  if (refusals.length > 0) throw new InputError(refusals.join('\n'));
  return links;
}

async function linkTo(
  instance: ServerInstance,
  report: ServerReport,
  env: NodeJS.ProcessEnv,
): Promise<ServerLink> {
  const url = new URL(instance.url);
  const tls = url.protocol === 'https:';
  const name = url.hostname.replace(/^\[|\]$/g, '');
  const { address } = await lookup(name, { verbatim: true }).catch(() => {
    throw new InputError(`${instance.name} (${instance.url}): no such host`);
  });
  const key = instance.api_key_env === undefined ? undefined : env[instance.api_key_env];
  const { dialect, abilities } = wireOf(report);
  const model = instance.served_model ?? report.models[0];
  return {
    instance,
    report,
    address: {
      host: address,
      port: url.port === '' ? (tls ? 443 : 80) : Number(url.port),
      ...(tls ? { tlsName: name } : {}),
    },
    host: url.host,
    base: url.pathname.replace(/\/+$/, ''),
    headers: key === undefined ? {} : { authorization: `Bearer ${key}` },
    dialect,
    abilities,
    model,
  };
}

/** What the server is sent, by its engine and by what its probe showed. */
function wireOf(report: ServerReport): { readonly dialect: Dialect; readonly abilities: ServerAbilities } {
  const has = (id: string): boolean => report.capabilities.some((c) => c.id === id && c.state === 'yes');
  const engine = report.dialect ?? 'openai';
  const tokenIds = has('token_prompts');
  return {
    dialect: tokenIds ? 'completions' : 'chat',
    abilities: {
      tokenIds,
      continuousUsage: engine === 'vllm' || engine === 'sglang' || engine === 'trtllm',
      returnTokenIds: engine === 'vllm',
      ignoreEos: engine !== 'openai' && engine !== 'dynamo',
      cacheSalt: engine === 'vllm' || engine === 'sglang',
    },
  };
}

function watchMetrics(link: ServerLink, time: HostTime, env: NodeJS.ProcessEnv): Watch {
  const { instance, report } = link;
  if (!report.capabilities.some(({ id, state }) => id === 'metrics' && state === 'yes'))
    return { latest: undefined, stop: () => undefined };
  const poller = new MetricsPoller({
    url: instance.metrics ?? `${instance.url}/metrics`,
    apiKey: instance.api_key_env === undefined ? undefined : env[instance.api_key_env],
    intervalMs: pollEveryMs,
    nowMs: () => time.now() / 1e6,
  });
  return {
    get latest() {
      const { reading } = poller;
      return reading === undefined
        ? undefined
        : { readings: reading.readings, takenNs: reading.takenMs * 1e6 };
    },
    stop: () => poller.stop(),
  };
}

function ruler(moduleUrl: string, time: HostTime): Ruler | undefined {
  const native = openNative(nativeFolder(moduleUrl));
  if (!native.available) return undefined;
  const started = native.startStampedServer();
  if (!started.ok) return undefined;
  const server = started.value;
  return {
    address: { host: '127.0.0.1', port: server.port },
    offsetNs: -Number(originOf(time)),
    stop: () => void server.stop(),
  };
}
