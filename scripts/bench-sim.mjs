// Prints how fast the simulator is, beside its budgets and its peers' figures.
//   node scripts/bench-sim.mjs            the speed table
//   node scripts/bench-sim.mjs lab        the lab's table (docs/measurements/lab-router.md)
//   node scripts/bench-sim.mjs --json     figures only
import { createReadStream, existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { out, root } from './project.mjs';

const { build } = await import('rolldown');
const file = join(out, 'bench', 'sim.mjs');
mkdirSync(join(out, 'bench'), { recursive: true });
await build({
  input: join(root, 'workloads/engines/sim/bench/main.ts'),
  platform: 'node',
  transform: { target: 'node20' },
  logLevel: 'warn',
  output: { file, format: 'esm' },
});
const { bench } = await import(pathToFileURL(file).href);
const args = process.argv.slice(2);

if (args.includes('lab')) {
  console.log(bench.labMarkdown(bench.labTable(2000, 5)));
  process.exit(0);
}

const data = process.env.DYNO_DATA ?? join(root, '../shared/data');
const trace = join(data, 'traces/mooncake-conversation.jsonl');
const azure = join(data, 'traces/azure-2023-conversation.csv');
const now = () => performance.now();
/** @type {{ name: string, requests: number, outputTokens: number, passes: number, events: number, wallMs: number, cpuMs: number, budgetMs?: number, note: string }[]} */
const rows = [];

/**
 * Cold is the first run of the process; warm the fastest of the next three.
 * @param {string} name @param {() => any} run @param {number | undefined} budgetMs @param {string} note
 */
function measure(name, run, budgetMs, note, again = 3) {
  // CPU time of this process (compiler and collector threads included) says what a busy machine hides in wall time.
  const timed = () => {
    const before = process.cpuUsage();
    const result = run();
    const used = process.cpuUsage(before);
    return { ...result, cpuMs: (used.user + used.system) / 1000 };
  };
  rows.push({ ...timed(), name: `${name}, first run`, budgetMs, note });
  let best;
  for (let i = 0; i < again; i++) {
    const result = timed();
    if (best === undefined || result.wallMs < best.wallMs) best = result;
  }
  if (best !== undefined) rows.push({ ...best, name: `${name}, warm`, budgetMs, note });
}

if (existsSync(trace)) {
  const traffic = await bench.readTraffic(
    { kind: 'trace', path: trace, format: 'mooncake', speedup: 1 },
    createReadStream,
  );
  measure(
    'conversation, 8 × round robin',
    () => bench.timeRun('', bench.traceSpec('baseline'), traffic, now),
    600,
    'DynoSim: 23,608 requests in 2.41 s = 9,796/s, faster core',
  );
  measure(
    'conversation, prefill and decode pools: passes are events',
    () => bench.timeRun('', bench.traceSpec('as_published', { instances: 8 }), traffic, now),
    undefined,
    '',
  );
  measure(
    'conversation, 8 × KV-aware score',
    () => bench.timeRun('', bench.traceSpec('optimized'), traffic, now),
    1000,
    '',
  );
  measure(
    'conversation, 8 × round robin, three tiers shared by the node',
    () => bench.timeRun('', bench.tieredSpec(), traffic, now),
    1000,
    '',
  );
}
if (existsSync(azure)) {
  const all = await bench.readTraffic(
    { kind: 'trace', path: azure, format: 'azure', speedup: 1, limit: 10000 },
    createReadStream,
  );
  // 10,000 requests at 40/s.
  const span = all.arrivalNs[all.requests - 1];
  const traffic = {
    ...all,
    arrivalNs: all.arrivalNs.map((/** @type {number} */ t) => Math.round((t * 250e9) / span)),
  };
  measure(
    'Azure conversation, 10,000 at 40/s, 40 ×',
    () => bench.timeRun('', bench.traceSpec('baseline', { instances: 40 }), traffic, now),
    500,
    'splitwise-sim: 6.71 s = 1,491/s',
  );
}
{
  const { spec, traffic } = bench.million();
  measure(
    '1,000,000 requests, 1,024 ×',
    () => bench.timeRun('', spec, traffic, now),
    60000,
    `peak memory ${(process.resourceUsage().maxRSS / 1048576).toFixed(2)} GiB before`,
    0,
  );
}
// A replicate has at most one event per instance ahead, and a few of its own: 1,024 is the largest cluster's. CPU time, since a busy
// machine says little about a loop of 100 ns.
const cpuMs = () => process.cpuUsage().user / 1000;
const queues = [16, 1024, 32_768, 1_000_000].map((pending) => ({
  pending,
  perSecond: Math.max(bench.queueRate(pending, 2_000_000, cpuMs), bench.queueRate(pending, 2_000_000, cpuMs)),
}));
const queue = queues.at(-1)?.perSecond ?? 0;
const peakGiB = process.resourceUsage().maxRSS / 1048576;

if (args.includes('--json'))
  console.log(JSON.stringify({ rows, queue_events_per_s: queue, peak_gib: peakGiB }));
else {
  const line = (/** @type {unknown[]} */ cells) => console.log(`| ${cells.join(' | ')} |`);
  line([
    'run',
    'wall s',
    'CPU s',
    'budget s',
    'requests/s',
    'M output tokens/s',
    'M passes/s',
    'events',
    'peer',
  ]);
  line(['---', '---', '---', '---', '---', '---', '---', '---', '---']);
  for (const r of rows) {
    const s = r.wallMs / 1000;
    line([
      r.name,
      s.toFixed(3),
      (r.cpuMs / 1000).toFixed(3),
      r.budgetMs === undefined ? '' : (r.budgetMs / 1000).toFixed(1),
      Math.round(r.requests / s).toLocaleString('en'),
      (r.outputTokens / s / 1e6).toFixed(1),
      (r.passes / s / 1e6).toFixed(1),
      r.events.toLocaleString('en'),
      r.note,
    ]);
  }
  console.log('');
  for (const { pending, perSecond } of queues) {
    console.log(
      `event queue with ${pending.toLocaleString('en')} pending: ${(perSecond / 1e6).toFixed(1)} M events/s, a pop and a push each (budget 5 M up to 1,024 pending)`,
    );
  }
  console.log(`peak memory of this process: ${peakGiB.toFixed(2)} GiB; ${process.version}`);
}
