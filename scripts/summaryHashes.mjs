// Fingerprints of every simulated target and variant at its defaults, and of the router lab on the two Mooncake traces:
// what a change that should not alter results must leave equal.
//   node scripts/summaryHashes.mjs [--limit REQUESTS]            prints the list
//   node scripts/summaryHashes.mjs [--limit REQUESTS] --to FILE   writes it to FILE
//   node scripts/summaryHashes.mjs [--limit REQUESTS] --against FILE   compares with FILE; exit status 1 where they differ
// A line: SHA-256 of the summary's values, SHA-256 of the rows of all tables, target, variant and trace.
import { createHash } from 'node:crypto';
import { createReadStream, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { out, root } from './project.mjs';

const { values } = parseArgs({
  options: { limit: { type: 'string' }, to: { type: 'string' }, against: { type: 'string' } },
});
const limit = values.limit === undefined ? Number.POSITIVE_INFINITY : Number(values.limit);
if (!(limit >= 1)) {
  console.error(`--limit: ${values.limit}, expected a number of requests from 1`);
  process.exit(2);
}
if (values.against !== undefined && !existsSync(values.against)) {
  console.error(`--against: no file ${values.against}; write one with --to`);
  process.exit(2);
}

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

/** @type {string[]} */
const lines = [];
/** @param {{ name: string, target: string, variant: string }} run @param {unknown} [traffic] */
function add(run, traffic) {
  const summary = createHash('sha256');
  const tables = createHash('sha256');
  const digests = {
    summary: (/** @type {string} */ text) => summary.update(text),
    tables: (/** @type {string | Uint8Array} */ part) => tables.update(part),
  };
  bench.digestRun(run, limit, digests, traffic);
  lines.push(`${summary.digest('hex')} ${tables.digest('hex')} ${run.name}`);
}

for (const run of bench.everyVariant()) add(run);
const data = process.env.DYNO_DATA ?? join(root, '../shared/data');
for (const trace of ['conversation', 'synthetic']) {
  const path = join(data, `traces/mooncake-${trace}.jsonl`);
  if (!existsSync(path)) {
    console.error(`left out: no ${path}; set DYNO_DATA`);
    continue;
  }
  const traffic = await bench.readTraffic(
    { kind: 'trace', path, format: 'mooncake', speedup: 1 },
    createReadStream,
  );
  const target = 'labs/dynamic_router:dynamic_router';
  for (const variant of ['baseline', 'optimized', 'as_published'])
    add({ name: `${target} ${variant} mooncake-${trace}`, target, variant }, { ...traffic, name: trace });
}

if (values.to !== undefined) writeFileSync(values.to, `${lines.join('\n')}\n`);
if (values.against === undefined) {
  if (values.to === undefined) console.log(lines.join('\n'));
} else {
  const before = new Set(
    readFileSync(values.against, 'utf8')
      .split('\n')
      .filter((line) => line !== ''),
  );
  const differing = lines.filter((line) => !before.delete(line));
  for (const line of differing) console.log(`differs or is new: ${line}`);
  const names = new Set(differing.map((line) => line.split(' ').slice(2).join(' ')));
  for (const line of before) if (!names.has(line.split(' ').slice(2).join(' '))) console.log(`gone: ${line}`);
  console.log(`${lines.length - differing.length} of ${lines.length} equal`);
  if (differing.length > 0 || before.size > 0) process.exitCode = 1;
}
