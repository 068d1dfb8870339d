import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type Latencies, readMeasuredRequests } from '../../workloads/calibration/measuredRun.ts';
import { type Deviation, deviations } from '../../workloads/calibration/replay.ts';
import { formatMetric } from '../../workloads/metrics/format.ts';
import { metricLabel } from '../../workloads/metrics/registry.ts';
import { InputError } from '../../workloads/run/inputError.ts';
import { bundleTables } from '../host/captures/trace/bundleTables.ts';
import { runsFolder } from '../host/store/runsFolder.ts';
import { checkReadable, openBytes } from '../shared/openFile.ts';
import type { Terminal } from './terminal.ts';
import { textTable } from './textTable.ts';

interface RunRow extends Latencies {
  readonly request: number;
  readonly arrivalNs: number;
  readonly promptTokens: number;
}

/**
 * A run beside the requests that a real engine measured: errors of means and percentiles, and per request. Both are taken in order of
 * arrival. Throws InputError where they are not the same requests.
 */
export async function compareMeasured(
  run: string,
  path: string,
  isJson: boolean,
  terminal: Terminal,
): Promise<number> {
  const folder = existsSync(join(resolve(run), 'manifest.json')) ? resolve(run) : join(runsFolder(), run);
  if (!existsSync(join(folder, 'manifest.json')))
    throw new InputError(`${run}: no such bundle folder, and no run of that id in ${runsFolder()}`);
  checkReadable(path, 'requests of a measured run (JSON lines)');
  const measured = await readMeasuredRequests(path, openBytes(path));
  const simulated = await requestsOf(folder, run);
  if (simulated.length !== measured.length)
    throw new InputError(
      `${path}: ${measured.length} requests, the run has ${simulated.length}; expected a run of the same file (--trace)`,
    );
  measured.forEach(({ promptTokens }, i) => {
    const own = simulated[i]?.promptTokens;
    if (own !== promptTokens)
      throw new InputError(
        `${path}: request ${i + 1} in order of arrival has ${promptTokens} prompt tokens, in the run ${own}; expected a run of the same file (--trace)`,
      );
  });
  const { rows, perRequest } = deviations(simulated, measured);
  if (isJson)
    terminal.json({ run, measured: path, requests: measured.length, rows, per_request: perRequest });
  else terminal.print(`${tableOf(rows)}\n\n${perRequestLine(perRequest, measured.length)}`);
  return 0;
}

const percent = (share: number): string =>
  `${Math.abs(share) < 5e-4 ? '' : share > 0 ? '+' : '−'}${Math.abs(100 * share).toFixed(1)} %`;
const idOf = { ttft: 'ttft_ms', tpot: 'tpot_ms', e2e: 'e2e_ms' } as const;

const tableOf = (rows: readonly Deviation[]): string =>
  textTable(
    [
      { title: 'metric' },
      { title: 'run', align: 'right' },
      { title: 'measured', align: 'right' },
      { title: 'error', align: 'right' },
    ],
    rows.map(({ metric, statistic, simulated, measured, error }) => [
      metricLabel(`${idOf[metric]}.${statistic}`),
      formatMetric(idOf[metric], simulated),
      formatMetric(idOf[metric], measured),
      percent(error),
    ]),
  );

const perRequestLine = (perRequest: Readonly<Record<keyof Latencies, number>>, n: number): string =>
  `Per request, median of |error| over ${n}: ${(['ttft', 'tpot', 'e2e'] as const)
    .map((metric) => `${metricLabel(idOf[metric])} ${(100 * perRequest[metric]).toFixed(1)} %`)
    .join(', ')}.`;

async function requestsOf(folder: string, run: string): Promise<RunRow[]> {
  const rows: RunRow[] = [];
  for await (const chunk of bundleTables(folder).requests()) {
    const column = (name: string): ArrayLike<number> => chunk.numbers(name) ?? new Float64Array(chunk.rows);
    const [iteration, request, arrival, prompt] = ['iteration', 'request', 'arrival_ns', 'prompt_tokens'].map(
      column,
    );
    const [ttft, tpot, e2e] = ['ttft_ms', 'tpot_ms', 'e2e_ms'].map(column);
    for (let i = 0; i < chunk.rows; i++) {
      if (iteration?.[i] !== 0) continue;
      rows.push({
        request: request?.[i] ?? 0,
        arrivalNs: arrival?.[i] ?? 0,
        promptTokens: prompt?.[i] ?? 0,
        ttft: ttft?.[i] ?? Number.NaN,
        tpot: tpot?.[i] ?? Number.NaN,
        e2e: e2e?.[i] ?? Number.NaN,
      });
    }
  }
  if (rows.length === 0)
    throw new InputError(`${run}: the run kept no request rows, expected one of \`--detail requests=all\``);
  return rows.sort((a, b) => a.arrivalNs - b.arrivalNs || a.request - b.request);
}
