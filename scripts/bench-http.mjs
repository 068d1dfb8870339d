// Prints how late the http engine's receivers stamp, beside the C client and a plain node:http client, against the stamped
// server; how exact the sender is; how many events one receive thread takes; whether a token is lost.
//   node scripts/bench-http.mjs                 the table; --rounds N (2), --streams 64,256 (64,128,256,512,1024)
//   node scripts/bench-http.mjs --busy          the same beside one busy core
//   node scripts/bench-http.mjs --json          figures only
// Every client runs as a process of its own, one after the other, in an order that changes from round to round.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { out, root } from './project.mjs';

const args = process.argv.slice(2);
/** @param {string} name @param {string} otherwise */
const option = (name, otherwise) =>
  args.includes(name) ? (args[args.indexOf(name) + 1] ?? otherwise) : otherwise;
const rounds = Number(option('--rounds', '2'));
const streamCounts = option('--streams', '64,128,256,512,1024').split(',').map(Number);
const only = option('--only', 'lateness,sender,saturation,complete').split(',');
const busy = args.includes('--busy');
const gapUs = 20_000;
const skip = 60;
const tokens = skip + 100;
/** @param {string} line */
const say = (line) => process.stderr.write(`${line}\n`);

const compiler = process.env.CXX ?? 'g++';
const folder = join(out, 'bench');
mkdirSync(folder, { recursive: true });
/** @param {string} name */
function compile(name) {
  const file = join(folder, name);
  const native = join(root, 'native');
  const built = spawnSync(
    compiler,
    [
      '-std=c++20',
      '-O2',
      '-pthread',
      `-I${native}`,
      join(native, `bench/${name}.cpp`),
      join(native, 'http/stamped_server.cpp'),
      '-o',
      file,
    ],
    { stdio: ['ignore', 'inherit', 'inherit'] },
  );
  if (built.status !== 0) {
    say(`bench:http needs a C++ compiler (g++): ${name} did not build`);
    process.exit(3);
  }
  return file;
}
const serverProgram = compile('stampedServer');
const epollClient = compile('epollClient');

const { build } = await import('rolldown');
const clientFile = join(folder, 'http.mjs');
await build({
  input: join(root, 'electron/runner/http/bench/client.ts'),
  external: [/^node:/, ...builtinModules, /\.node$/],
  platform: 'node',
  transform: { target: 'node20' },
  logLevel: 'warn',
  output: { file: clientFile, format: 'esm', codeSplitting: false },
});
const hasAddon = existsSync(join(root, 'native/build/dyno.node'));
if (!hasAddon) say('the addon is not built (node native/build.mjs): the native receiver is left out');

const server = spawn(serverProgram, [], { stdio: ['pipe', 'pipe', 'inherit'] });
const port = await new Promise((resolve) =>
  server.stdout.once('data', (bytes) => resolve(Number(String(bytes)))),
);
const spinner = busy ? spawn(process.execPath, ['-e', 'for (;;);']) : undefined;
process.on('exit', () => {
  server.kill();
  spinner?.kill();
});

/**
 * @param {string} file @param {readonly (string | number)[]} list
 * @returns {Promise<Record<string, number> | undefined>}
 */
function measured(file, list) {
  return new Promise((resolve) => {
    const child = spawn(file, list.map(String), { stdio: ['ignore', 'pipe', 'inherit'] });
    const timer = setTimeout(() => child.kill(), 60_000);
    let said = '';
    child.stdout.on('data', (bytes) => {
      said += bytes;
    });
    child.on('close', () => {
      clearTimeout(timer);
      try {
        resolve(JSON.parse(said));
      } catch {
        resolve(undefined);
      }
    });
  });
}

const clients = [
  {
    id: 'C epoll',
    run: (/** @type {string} */ mode, /** @type {number} */ n) =>
      measured(epollClient, [n, gapUs, tokens, mode, port, skip]),
  },
  ...(hasAddon ? ['native', 'native-clock'] : []).concat(['javascript', 'node-http']).map((id) => ({
    id,
    run: (/** @type {string} */ mode, /** @type {number} */ n) =>
      measured(process.execPath, [clientFile, 'lateness', id, n, mode, tokens, gapUs, port, skip]),
  })),
];
/** @param {number[]} values */
const median = (values) => {
  const sorted = values.filter((v) => Number.isFinite(v)).sort((a, b) => a - b);
  return sorted.length === 0 ? Number.NaN : (sorted[(sorted.length - 1) >> 1] ?? Number.NaN);
};

/** @type {{ mode: string, streams: number, client: string, runs: Record<string, number>[] }[]} */
const rows = [];
if (only.includes('lateness')) {
  for (const mode of ['stagger', 'burst']) {
    for (const streams of streamCounts) {
      const cells = clients.map(({ id }) => ({
        mode,
        streams,
        client: id,
        runs: /** @type {Record<string, number>[]} */ ([]),
      }));
      rows.push(...cells);
      for (let round = 0; round < rounds; round++) {
        for (let i = 0; i < clients.length; i++) {
          const at = (i * (round % 2 === 0 ? 1 : clients.length - 1) + round) % clients.length;
          const got = await clients[at]?.run(mode, streams);
          if (got !== undefined) cells[at]?.runs.push(got);
          say(`${mode} ${streams} ${clients[at]?.id}: ${JSON.stringify(got)}`);
        }
      }
    }
  }
}
/** @param {typeof rows[number]} row @param {string} key */
const of = (row, key) => median(row.runs.map((run) => run[key] ?? Number.NaN));
const ours = hasAddon ? ['native', 'javascript'] : ['javascript'];
/** @type {Record<string, Record<string, number> | undefined>} */
const others = {};
for (const kind of ours) {
  if (only.includes('sender'))
    others[`sender ${kind}`] = await measured(process.execPath, [
      clientFile,
      'sender',
      kind,
      port,
      500,
      5000,
    ]);
  if (only.includes('complete'))
    others[`complete ${kind}`] = await measured(process.execPath, [
      clientFile,
      'complete',
      kind,
      port,
      10_000,
      1000,
      20,
    ]);
  if (only.includes('saturation'))
    others[`saturation ${kind}`] = await measured(process.execPath, [
      clientFile,
      'lateness',
      kind,
      1024,
      'stagger',
      400,
      10_000,
      port,
      100,
    ]);
}
server.stdin.end();
spinner?.kill();

if (args.includes('--json')) {
  console.log(JSON.stringify({ rows, others, busy, node: process.version, load: loadavg() }));
} else {
  /** @param {unknown[]} cells */
  const line = (cells) => console.log(`| ${cells.join(' | ')} |`);
  const f = (/** @type {number} */ value) => (Number.isFinite(value) ? value.toFixed(2) : '–');
  console.log(
    `${rounds} rounds, medians; ${gapUs / 1000} ms between tokens, ${tokens - skip} tokens per stream after ${skip} of warm-up; ms.`,
  );
  console.log(
    `${busy ? 'Beside one busy core. ' : ''}Load average ${loadavg()
      .map((l) => l.toFixed(1))
      .join(' ')}; ${process.version}.\n`,
  );
  line([
    'mode',
    'streams',
    'client',
    'ITL error p50',
    'p99',
    '× C',
    'TTFT error p99',
    'lateness p50',
    'p99',
    'burst width',
    'CPU s',
    'goal',
  ]);
  line(Array.from({ length: 12 }, () => '---'));
  for (const row of rows) {
    const floor = rows.find(
      (r) => r.mode === row.mode && r.streams === row.streams && r.client === 'C epoll',
    );
    const goal =
      row.client === 'native' && row.streams <= (row.mode === 'stagger' ? 256 : 128)
        ? 'both p99 ≤ 1'
        : row.client === 'native-clock'
          ? '≤ 1.5 × C'
          : '';
    line([
      row.mode,
      row.streams,
      row.client,
      f(of(row, 'gap50')),
      f(of(row, 'gap99')),
      floor === undefined ? '' : f(of(row, 'gap99') / of(floor, 'gap99')),
      f(of(row, 'first99')),
      f(of(row, 'late50')),
      f(of(row, 'late99')),
      row.mode === 'burst' ? f(of(row, 'width')) : '',
      f(of(row, 'cpu')),
      goal,
    ]);
  }
  console.log('');
  for (const [name, got] of Object.entries(others)) console.log(`${name}: ${JSON.stringify(got)}`);
  console.log(
    '\nGoals: sender within 0.1 ms of due at p99 at 500 requests/s; ≥ 50,000 events/s per receive thread; 10,000 requests over 1,000 streams without a lost or doubled token.',
  );
}
process.exit(0);
