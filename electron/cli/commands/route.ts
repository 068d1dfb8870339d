import { randomBytes } from 'node:crypto';
import { LiveRouter } from '../../../workloads/engines/http/servers/liveRouter.ts';
import { findRouter, routers } from '../../../workloads/routing/routers.ts';
import { InputError } from '../../../workloads/run/inputError.ts';
import type { ServerInstance } from '../../../workloads/run/instanceSpec.ts';
import type { ParameterValues } from '../../../workloads/run/parameter.ts';
import { parseServer } from '../../../workloads/run/serverAddress.ts';
import { dynoVersion, projectFolder } from '../../host/machine/dynoVersion.ts';
import { RouteRecord } from '../../host/runs/routeRecord.ts';
import { runsFolder } from '../../host/store/runsFolder.ts';
import { type RoutedRequest, type RunningProxy, startProxy } from '../../shared/proxy/proxyServer.ts';
import { RunFailure } from '../../shared/runFailure.ts';
import { KvSubscriber } from '../../shared/servers/kvSubscriber.ts';
import { MetricsPoller } from '../../shared/servers/metricsPoller.ts';
import { ask } from '../../shared/servers/shortRequest.ts';
import { didYouMean } from '../closest.ts';
import type { CommandLineCommand } from '../commandLine.ts';
import { collect, integer } from '../options.ts';
import type { Terminal } from '../terminal.ts';

interface RouteOptions {
  readonly listen: string;
  readonly policy: string;
  readonly server?: readonly string[];
  readonly param?: readonly string[];
  readonly tokenEnv?: string;
  readonly token: boolean;
  readonly kvReplay?: readonly string[];
  readonly requests?: number;
  readonly json?: boolean;
}

/** Runs Dyno's routers as a proxy in front of real servers, for any client. */
export const route: CommandLineCommand = {
  name: 'route',
  register(program, terminal, run) {
    program
      .command('route')
      .description(
        'a router in front of real servers for any OpenAI client; what passes is recorded as a run',
      )
      .option('--listen <host:port>', 'where to listen; port 0 takes a free one', '127.0.0.1:8088')
      .option('--policy <id>', routers.map(({ id }) => id).join(', '), 'sglang_cache_aware')
      .option('--param <id=value>', 'a parameter of the policy; repeatable', collect)
      .option(
        '--server <url>',
        'a server, with ,role= ,model= ,name= ,kv-events= ,metrics= ,key-env= behind it; repeatable',
        collect,
      )
      .option(
        '--kv-replay <name=endpoint>',
        'replay address of a server\u2019s KV events; repeatable',
        collect,
      )
      .option(
        '--token-env <name>',
        'environment variable with the token of the clients (default: a new one is printed)',
      )
      .option('--no-token', 'ask clients for no token (loopback only)')
      .option('--requests <n>', 'end after n requests', integer(1, 1e9))
      .option('--json', 'print one JSON document at the end')
      .action((options: RouteOptions) => run(() => serve(options, terminal)));
  },
};

function addressOf(text: string): { readonly host: string; readonly port: number } {
  const match = /^(\[[0-9a-fA-F:]+\]|[^:]+):(\d{1,5})$/.exec(text);
  const port = Number(match?.[2]);
  const host = match?.[1]?.replaceAll(/[[\]]/g, '');
  if (host === undefined || port > 65_535) throw new InputError(`--listen ${text}: expected HOST:PORT`);
  return { host, port };
}

const isLoopback = (host: string): boolean => /^(?:127\.|localhost$|::1$)/.test(host);

function tokenOf(options: RouteOptions, host: string): string | undefined {
  if (!options.token) {
    if (isLoopback(host)) return undefined;
    throw new InputError(
      `--no-token: only on loopback, not on ${host}: every host that reaches it could use the servers`,
    );
  }
  if (options.tokenEnv === undefined) return randomBytes(24).toString('base64url');
  const token = process.env[options.tokenEnv];
  if (token !== undefined && token !== '') return token;
  throw new InputError(
    `--token-env ${options.tokenEnv}: the variable is not set, expected the token of the clients`,
  );
}

function parametersOf(policy: string, given: readonly string[]): ParameterValues {
  const kind = findRouter(policy);
  if (kind === undefined)
    throw new InputError(
      `--policy ${policy}: expected one of ${routers.map(({ id }) => id).join(', ')}${didYouMean(
        policy,
        routers.map(({ id }) => id),
      )}`,
    );
  const values: Record<string, number | string | boolean> = {};
  for (const parameter of kind.parameters) values[parameter.id] = parameter.default;
  for (const text of given) {
    const [id = '', value = ''] = text.split('=');
    const known = values[id];
    if (known === undefined)
      throw new InputError(
        `--param ${text}: ${policy} has ${Object.keys(values).join(', ') || 'no parameter'}`,
      );
    const number = Number(value);
    if (typeof known === 'number' && (value === '' || Number.isNaN(number)))
      throw new InputError(`--param ${text}: expected a number`);
    values[id] = typeof known === 'number' ? number : typeof known === 'boolean' ? value === 'true' : value;
  }
  return values;
}

const keyOf = ({ api_key_env: name }: ServerInstance): string | undefined =>
  name === undefined ? undefined : process.env[name];

async function serve(options: RouteOptions, terminal: Terminal): Promise<number> {
  const { host, port } = addressOf(options.listen);
  const servers = (options.server ?? []).map(parseServer);
  if (servers.length === 0) throw new InputError('expected --server URL, once for each server');
  for (const server of servers)
    if (server.api_key_env !== undefined && keyOf(server) === undefined)
      throw new InputError(`--server ${server.url}: environment variable ${server.api_key_env} is not set`);
  const pooled = servers.find(({ pool }) => pool !== 'mixed');
  if (pooled !== undefined)
    throw new InputError(
      `--server ${pooled.url}: role=${pooled.pool}; route passes whole requests on, expected servers without a role`,
    );
  if (options.policy === 'complexity')
    throw new InputError(
      '--policy complexity: it needs to be told how hard each request is, expected another policy',
    );
  const parameters = parametersOf(options.policy, options.param ?? []);
  const kind = findRouter(options.policy);
  if (kind === undefined) throw new InputError(`--policy ${options.policy}: not known`);
  const token = tokenOf(options, host);
  const router = new LiveRouter(kind, parameters, servers);
  const origin = performance.now();
  const nowMs = () => performance.now() - origin;
  const versions = { dyno: dynoVersion(projectFolder(import.meta.url)) };
  const record = await RouteRecord.open(runsFolder(), router, { parameters, versions });
  const line = new LiveLine(router, terminal);
  const note = (level: 'info' | 'warning', text: string): void => {
    record.log(level, text, nowMs());
    terminal.note(text);
  };
  const watchers = watch(router, options, nowMs, note);
  let proxy: RunningProxy | undefined;
  try {
    const ended = new Promise<void>((resolve) => {
      process.once('SIGINT', () => resolve()).once('SIGTERM', () => resolve());
      void startProxy({
        ...{ host, port, token, router, nowMs },
        keyOf: (i) => {
          const server = servers[i];
          return server === undefined ? undefined : keyOf(server);
        },
        onRequest: (request) => {
          record.request(request);
          line.request(request);
          if (options.requests !== undefined && line.total >= options.requests) setTimeout(resolve, 50);
        },
        onServerDown: (i, reason) => note('warning', `${servers[i]?.name ?? 'server'} is down: ${reason}`),
      }).then(
        (started) => {
          proxy = started;
          terminal.note(`listening on ${started.url}`);
          if (token !== undefined && options.tokenEnv === undefined) terminal.note(`token: ${token}`);
        },
        (thrown: unknown) => {
          line.failure = thrown;
          resolve();
        },
      );
    });
    const ticks = setInterval(() => {
      record.sample(nowMs());
      line.print(nowMs());
    }, 1000);
    await ended;
    clearInterval(ticks);
  } finally {
    watchers();
    await proxy?.close();
  }
  const folder = await record.close(nowMs());
  if (line.failure !== undefined) throw listenFailure(line.failure, options.listen);
  if (options.json === true)
    terminal.json({ run: folder === undefined ? null : record.run, folder, ...line.totals });
  else if (folder === undefined) terminal.note('no request came: nothing is recorded');
  else terminal.print(`${record.run} in ${folder}`);
  return 0;
}

function listenFailure(thrown: unknown, listen: string): RunFailure {
  const code = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : '';
  const why =
    code === 'EADDRINUSE' ? 'the port is in use' : code === 'EACCES' ? 'no permission' : String(thrown);
  return new RunFailure({
    code: 'bad_input',
    message: `--listen ${listen}: ${why}`,
    hint: 'Choose another port; 0 takes a free one.',
  });
}

/** Polls metrics, follows KV events and looks whether servers that were down are back. Returns what ends all of it. */
function watch(
  router: LiveRouter,
  options: RouteOptions,
  nowMs: () => number,
  note: (level: 'info' | 'warning', text: string) => void,
): () => void {
  const ends: (() => void)[] = [];
  const replays = new Map(
    (options.kvReplay ?? []).map((text) => [text.split('=')[0], text.split('=')[1]] as const),
  );
  router.servers.forEach((server, i) => {
    const apiKey = keyOf(server);
    const poller = new MetricsPoller({
      ...{ url: server.metrics ?? `${server.url}/metrics`, apiKey, intervalMs: 1000, nowMs },
      onReading: ({ readings }) => router.reading(i, readings),
    });
    ends.push(() => poller.stop());
    const back = setInterval(() => {
      if (router.takes(i)) return;
      ask(`${server.url}/health`, { apiKey, timeoutMs: 1000 }).then(
        ({ status }) => {
          if (status !== 200 || router.takes(i)) return;
          router.setTakes(i, true);
          note('info', `${server.name} is back`);
        },
        () => undefined,
      );
    }, 1000);
    ends.push(() => clearInterval(back));
    if (server.kv_events === undefined) return;
    const subscriber = new KvSubscriber({
      ...{ endpoint: server.kv_events, replay: replays.get(server.name) },
      onBatch: (batch) => router.prefixes[i]?.batch(batch),
      onLost: () => {
        router.prefixes[i]?.eventsLost();
        note(
          'warning',
          `${server.name}: KV events were lost; what was sent there is used until they are complete`,
        );
      },
    });
    ends.push(() => subscriber.close());
  });
  return () => {
    for (const end of ends) end();
  };
}

/** One line per second on standard error, where something passes. */
class LiveLine {
  total = 0;
  failure: unknown;
  private completed = 0;
  private failed = 0;
  private rejected = 0;
  private tokens = 0;
  private cached = 0;
  private prompts = 0;
  private since: RoutedRequest[] = [];
  private readonly router: LiveRouter;
  private readonly terminal: Terminal;

  constructor(router: LiveRouter, terminal: Terminal) {
    this.router = router;
    this.terminal = terminal;
  }

  get totals() {
    const { total, completed, failed, rejected } = this;
    return { requests: total, completed, failed, rejected };
  }

  request(request: RoutedRequest): void {
    this.total += 1;
    this[request.outcome] += 1;
    this.since.push(request);
    const { seen } = request;
    this.tokens += seen?.outputTokens ?? 0;
    if (seen?.cachedTokens === undefined || seen.promptTokens === undefined) return;
    this.cached += seen.cachedTokens;
    this.prompts += seen.promptTokens;
  }

  print(nowMs: number): void {
    if (this.since.length === 0 && this.router.inFlight === 0) return;
    const ttfts = this.since
      .flatMap(({ seen, arrivedMs }) =>
        seen?.firstTokenMs === undefined ? [] : [seen.firstTokenMs - arrivedMs],
      )
      .sort((a, b) => a - b);
    const median = ttfts[Math.floor(ttfts.length / 2)];
    const shares = this.router.servers.map(({ name }, i) => {
      const here = this.since.filter(({ decision }) => decision?.server === i).length;
      return `${name} ${here}${this.router.takes(i) ? '' : ' (down)'}`;
    });
    const parts = [
      `${(nowMs / 1000).toFixed(0)} s`,
      `${this.since.length} req/s`,
      `${this.router.inFlight} in flight`,
      ...(median === undefined ? [] : [`TTFT p50 ${median.toFixed(1)} ms`]),
      ...(this.prompts > 0 ? [`hits ${((100 * this.cached) / this.prompts).toFixed(0)} %`] : []),
      ...(this.failed + this.rejected > 0 ? [`failed ${this.failed}`, `rejected ${this.rejected}`] : []),
      shares.join(', '),
    ];
    this.terminal.note(parts.join(' · '));
    this.since = [];
  }
}
