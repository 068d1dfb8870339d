import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { InputError } from '../../../workloads/run/inputError.ts';
import { runsFolder } from '../../host/store/runsFolder.ts';
import { RunFailure } from '../../shared/runFailure.ts';
import { freePort, launchServer, programOf } from '../../shared/servers/launchServer.ts';
import { findProfile, type ServerProfile, serverProfiles } from '../../shared/servers/serverProfiles.ts';
import type { CommandLineCommand } from '../commandLine.ts';
import { integer, positive } from '../options.ts';
import type { Terminal } from '../terminal.ts';

interface ServeOptions {
  readonly model: string;
  readonly listen: string;
  readonly program?: string;
  readonly slots?: number;
  readonly context?: number;
  readonly kvPort?: number;
  readonly wait: number;
  readonly json?: boolean;
}

/** Starts a known inference server with the flags that let it be measured. */
export const serve: CommandLineCommand = {
  name: 'serve',
  register(program, terminal, run) {
    program
      .command('serve <engine> [args...]')
      .description(
        `start ${serverProfiles.map(({ id }) => id).join(', ')} with what lets it be measured; what follows -- goes to it`,
      )
      .requiredOption('--model <model>', 'a GGUF file (llama-server), else a name or folder')
      .option('--listen <host:port>', 'where it listens; port 0 takes a free one', '127.0.0.1:0')
      .option('--program <path>', 'the program to start (default: found on the PATH)')
      .option('--slots <n>', 'requests that it runs at once', integer(1, 100_000))
      .option('--context <tokens>', 'context of each request', integer(1, 1e8))
      .option('--kv-port <port>', 'publish KV events on this port and the next', integer(1, 65_534))
      .option('--wait <s>', 'how long it may load', positive('seconds'), 600)
      .option('--json', 'print one JSON document when it is ready')
      .action((engine: string, args: string[], options: ServeOptions) =>
        run(() => start(engine, args, options, terminal)),
      );
  },
};

function profileOf(engine: string): ServerProfile {
  const profile = findProfile(engine);
  if (profile !== undefined) return profile;
  throw new InputError(`serve ${engine}: expected ${serverProfiles.map(({ id }) => id).join(', ')}`);
}

function programFor(profile: ServerProfile, given: string | undefined): string {
  if (given !== undefined) {
    const path = given.includes('/') ? resolve(given) : given;
    if (!given.includes('/') || existsSync(path)) return path;
    throw new InputError(`--program ${given}: no such file`);
  }
  const found = programOf(profile);
  if (found !== undefined) return found;
  throw new RunFailure({
    ...{ code: 'missing', message: `${profile.title}: ${profile.programs.join(' or ')} is not on the PATH` },
    hint: profile.hint,
  });
}

async function start(
  engine: string,
  args: readonly string[],
  options: ServeOptions,
  terminal: Terminal,
): Promise<number> {
  const profile = profileOf(engine);
  if (options.kvPort !== undefined && !profile.kvEvents)
    throw new InputError(`--kv-port: ${profile.title} publishes no KV events`);
  const [, host = '', portText = ''] = /^(\[[0-9a-fA-F:]+\]|[^:]+):(\d{1,5})$/.exec(options.listen) ?? [];
  if (host === '' || Number(portText) > 65_535)
    throw new InputError(`--listen ${options.listen}: expected HOST:PORT`);
  const isFile = engine === 'llama-server';
  const model = isFile ? resolve(options.model) : options.model;
  if (isFile && !existsSync(model))
    throw new InputError(`--model ${options.model}: no such file, expected a GGUF`);
  const program = programFor(profile, options.program);
  const bare = host.replaceAll(/[[\]]/g, '');
  const port = Number(portText) === 0 ? await freePort(bare) : Number(portText);
  const logFile = join(runsFolder(), '..', 'servers', `${engine}-${port}.log`);
  const stopped = new AbortController();
  const interrupted = new Promise<void>((done) => {
    const stop = () => {
      stopped.abort();
      done();
    };
    process.once('SIGINT', stop).once('SIGTERM', stop);
  });
  let said = 0;
  const server = await launchServer({
    ...{ profile, extra: args, logFile, timeoutMs: options.wait * 1000, signal: stopped.signal },
    settings: {
      ...{ program, model, host: bare, port },
      ...{ slots: options.slots, context: options.context, kvPort: options.kvPort },
    },
    onWait: (elapsed, status) => {
      if (elapsed - said < 5000) return;
      said = elapsed;
      terminal.note(`${profile.title}: loading for ${(elapsed / 1000).toFixed(0)} s (${status})`);
    },
  });
  const events = options.kvPort === undefined ? '' : `,kv-events=tcp://${bare}:${options.kvPort}`;
  const address = `${server.url}${events}`;
  if (options.json === true)
    terminal.json({
      engine,
      url: server.url,
      pid: server.pid,
      log: server.logFile,
      ready_ms: server.readyMs,
    });
  else terminal.print(`--server ${address}`);
  terminal.note(
    `${profile.title} is ready after ${(server.readyMs / 1000).toFixed(1)} s (${profile.gives}); log: ${server.logFile}; Ctrl-C ends it`,
  );
  const why = await Promise.race([interrupted, server.gone]);
  if (typeof why === 'string')
    throw new RunFailure({
      code: 'failed',
      message: `${profile.title}: ${why}`,
      hint: `Its log: ${server.logFile}`,
    });
  await server.end();
  return 0;
}
