// Holds the simulator against real engines: docs/measurements/validation.md.
//   node scripts/validate-sim.mjs [--out FOLDER]   errors of the measured vLLM runs; draws scatter plots into FOLDER where one is named
//   node scripts/validate-sim.mjs silicon [--rows FILE]   the roofline alone against measured configurations, with the terms as fitted
//   node scripts/validate-sim.mjs silicon --fit 300       fits them again, without each model in turn (minutes)
import { createHash } from 'node:crypto';
import { createReadStream, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { out, root } from './project.mjs';

const { build } = await import('rolldown');
const file = join(out, 'bench', 'validate.mjs');
mkdirSync(join(out, 'bench'), { recursive: true });
await build({
  input: join(root, 'workloads/calibration/bench.ts'),
  output: { file, format: 'esm' },
  logLevel: 'warn',
});
const { bench } = await import(pathToFileURL(file).href);
const data = process.env.DYNO_DATA ?? resolve(root, '../shared/data');
if (!existsSync(data)) {
  console.error(`no data at ${data}: set DYNO_DATA`);
  process.exit(3);
}
const at = process.argv.indexOf('--out');
const pictures = at < 0 ? undefined : process.argv[at + 1];
if (at >= 0 && pictures === undefined) {
  console.error('--out: expected a folder');
  process.exit(2);
}
const percent = (/** @type {number} */ value) => `${(100 * value).toFixed(2)} %`;

if (process.argv[2] === 'silicon') {
  const given = process.argv.indexOf('--rows');
  const path =
    (given < 0 ? undefined : process.argv[given + 1]) ?? join(data, 'silicon/h100-vllm-sglang.csv');
  const steps = process.argv.indexOf('--fit');
  const { rows, leftOut } = await bench.readSilicon(path, createReadStream(path));
  console.log(`left out: ${JSON.stringify(leftOut)}`);
  const families = [...new Set(rows.map(bench.familyOf))].sort();
  if (steps >= 0) {
    const most = Number(process.argv[steps + 1] ?? 300);
    for (const without of [undefined, ...families])
      console.log(
        `without ${without ?? 'nothing'}: ${JSON.stringify(bench.fitSilicon(rows, most, without))}`,
      );
  } else {
    console.log(
      '| model | rows | fitted to all: TTFT, TPOT | fitted without it: TTFT, TPOT |\n|---|---|---|---|',
    );
    const pair = (/** @type {{ ttft: number, tpot: number }} */ error) =>
      `${percent(error.ttft)}, ${percent(error.tpot)}`;
    const leftOutTerms = (/** @type {any} */ row) =>
      bench.termsWithout[bench.familyOf(row)] ?? bench.fittedTerms;
    for (const family of families) {
      const own = rows.filter((/** @type {any} */ row) => bench.familyOf(row) === family);
      const inside = bench.errors(own, bench.fittedTerms);
      console.log(
        `| ${family} | ${own.length} | ${pair(inside)} | ${pair(bench.errors(own, leftOutTerms))} |`,
      );
    }
    console.log(
      `| all | ${rows.length} | ${pair(bench.errors(rows, bench.fittedTerms))} | ${pair(bench.errors(rows, leftOutTerms))} |`,
    );
  }
} else {
  // Runs that are not listed say of themselves how their engine served.
  const listed = bench.vllmRuns.map((/** @type {{ folder: string }} */ run) => run.folder);
  const others = readdirSync(join(data, 'vllm-measured'))
    .filter(
      (folder) => !listed.includes(folder) && existsSync(join(data, 'vllm-measured', folder, 'meta.json')),
    )
    .sort()
    .map((folder) => {
      const text = (/** @type {string} */ name) => {
        const file = join(data, 'vllm-measured', folder, name);
        return existsSync(file) ? readFileSync(file, 'utf8') : '';
      };
      const files = { meta: text('meta.json'), cluster: text('cluster.json'), opMeta: text('op-meta.yaml') };
      return { folder, ...bench.engineOf(folder, files) };
    });
  for (const { folder, label, settings } of [...bench.vllmRuns, ...others]) {
    const path = join(data, 'vllm-measured', folder);
    if (!existsSync(join(path, 'op-meta.yaml')))
      console.log(
        `\n${folder}: no op-meta.yaml, so the cost of uneven contexts is not known and counts as nothing (about 2 % of TPOT)`,
      );
    const hash = createHash('sha256');
    const hasMoe = existsSync(join(path, 'op-moe.csv'));
    for (const name of [
      'op-attention.csv',
      'op-dense.csv',
      'op-per_sequence.csv',
      ...(hasMoe ? ['op-moe.csv'] : []),
    ])
      hash.update(readFileSync(join(path, name)));
    const sha256 = hash.digest('hex');
    bench.provideOperatorTables(
      sha256,
      await bench.readOperatorTables(
        path,
        (/** @type {string} */ name) => createReadStream(join(path, name)),
        hasMoe,
      ),
    );
    const name = join(path, 'requests.jsonl');
    const requests = await bench.readMeasuredRequests(name, createReadStream(name));
    const spec = bench.replaySpec(settings(path, sha256));
    const traffic = bench.trafficOf(name, requests);
    let simulated = [];
    const cpu = [];
    for (let i = 0; i < 7; i++) {
      // CPU time: a busy machine stretches the wall's.
      const before = process.cpuUsage();
      simulated = bench.replay(spec, traffic);
      const { user, system } = process.cpuUsage(before);
      cpu.push((user + system) / 1000);
    }
    const { rows, perRequest } = bench.deviations(simulated, requests);
    console.log(
      `\n${label}: first run ${cpu[0]?.toFixed(0)} ms, median of seven ${cpu.sort((a, b) => a - b)[3]?.toFixed(0)} ms of CPU (budget 50)\n`,
    );
    console.log('| metric | statistic | simulated, ms | measured, ms | error |\n|---|---|---|---|---|');
    for (const row of rows)
      console.log(
        `| ${row.metric} | ${row.statistic} | ${row.simulated.toFixed(2)} | ${row.measured.toFixed(2)} | ${percent(row.error)} |`,
      );
    console.log(
      `per request, median |error|: ${Object.entries(perRequest)
        .map(([metric, value]) => `${metric} ${percent(value)}`)
        .join(', ')}`,
    );
    if (pictures === undefined) continue;
    mkdirSync(pictures, { recursive: true });
    writeFileSync(
      join(pictures, `validation-${folder}.svg`),
      bench.scatter(
        listed.includes(folder)
          ? `vLLM 0.19, Llama 3.1 8B, ${label}: 300 requests`
          : `vLLM, ${label}: ${requests.length} requests`,
        simulated,
        requests,
      ),
    );
  }
}
