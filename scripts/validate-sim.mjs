// Holds the simulator against real engines: docs/measurements/validation.md.
//   node scripts/validate-sim.mjs [--out FOLDER]   errors of the measured vLLM runs; draws scatter plots into FOLDER where one is named
//   node scripts/validate-sim.mjs silicon     the roofline alone against 374 H100 configurations
//   node scripts/validate-sim.mjs experts     divided experts against 15 of them, nothing fitted
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

if (process.argv[2] === 'experts') {
  const path = join(data, 'silicon/h100-vllm-sglang.csv');
  const rows = await bench.readExpertRows(path, createReadStream(path));
  console.log('| prompt, output | clients | measured, ms | skew 0.6 | even gate |\n|---|---|---|---|---|');
  for (const row of rows) {
    const cells = [0.6, 0].map((skew) => {
      const tpot = bench.predictExpertTpot(row, skew);
      return `${tpot.toFixed(2)} (${percent(tpot / row.tpot - 1)})`;
    });
    console.log(
      `| ${row.promptTokens}, ${row.outputTokens} | ${row.clients} | ${row.tpot.toFixed(2)} | ${cells.join(' | ')} |`,
    );
  }
  console.log(`median: ${percent(bench.expertError(rows, 0.6))}, ${percent(bench.expertError(rows, 0))}`);
} else if (process.argv[2] === 'silicon') {
  const path = join(data, 'silicon/h100-vllm-sglang.csv');
  const { rows, leftOut } = await bench.readSilicon(path, createReadStream(path));
  console.log(`left out: ${JSON.stringify(leftOut)}`);
  const global = bench.fitSilicon(rows, Number(process.argv[3] ?? 40));
  console.log(`fitted on one half: ${JSON.stringify(global)}`);
  console.log('| model | half | rows | TTFT, median error | TPOT, median error |\n|---|---|---|---|---|');
  const ids = [...new Set(rows.map((/** @type {{ model: { id: string } }} */ row) => row.model.id))];
  for (const id of [...ids, 'all'])
    for (const half of ['fit', 'test']) {
      const own = rows.filter(
        (/** @type {{ id: string, model: { id: string } }} */ row) =>
          (id === 'all' || row.model.id === id) && bench.half(row.id) === half,
      );
      if (own.length === 0) continue;
      const error = bench.errors(own, global);
      console.log(`| ${id} | ${half} | ${error.rows} | ${percent(error.ttft)} | ${percent(error.tpot)} |`);
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
