import type { ExportedRun } from '../../../workloads/results/exportResult.ts';
import { defined } from '../../../workloads/results/jsonValues.ts';
import type { ResultRequest } from '../../../workloads/results/measuredResult.ts';
import { InputError } from '../../../workloads/run/inputError.ts';
import { requireServing } from '../../shared/kinds/runKind.ts';
import { bundleTables } from '../captures/trace/bundleTables.ts';
import { readManifest } from '../store/manifest.ts';

/** The requests of a finished run bundle (first replicate), and what other tools' files say about a run. */
export async function bundleRequests(folder: string): Promise<ExportedRun> {
  const manifest = await readManifest(folder);
  const { cluster, engine } = requireServing(manifest.spec, manifest.run);
  const requests: ResultRequest[] = [];
  let endMs = 0;
  for await (const chunk of bundleTables(folder).requests()) {
    const numbers = (name: string) => chunk.numbers(name);
    const [iteration, arrival] = [numbers('iteration'), numbers('arrival_ns')];
    const [ttft, tpot, e2e] = [numbers('ttft_ms'), numbers('tpot_ms'), numbers('e2e_ms')];
    const [prompt, output, cached] = [
      numbers('prompt_tokens'),
      numbers('output_tokens'),
      numbers('cached_tokens'),
    ];
    const status = chunk.texts('status');
    const at = (column: ArrayLike<number> | undefined, i: number): number | undefined => {
      const value = column?.[i];
      return value === undefined || Number.isNaN(value) ? undefined : value;
    };
    for (let i = 0; i < chunk.rows; i += 1) {
      if ((at(iteration, i) ?? 0) !== 0) continue;
      const arrivalNs = at(arrival, i);
      const isDone = status?.[i] === 'completed';
      const request = defined<ResultRequest>({
        status: isDone ? 'completed' : 'failed',
        arrivalMs: arrivalNs === undefined ? undefined : arrivalNs / 1e6,
        promptTokens: at(prompt, i),
        outputTokens: isDone ? at(output, i) : undefined,
        cachedTokens: at(cached, i),
        ttftMs: isDone ? at(ttft, i) : undefined,
        tpotMs: isDone ? at(tpot, i) : undefined,
        e2eMs: isDone ? at(e2e, i) : undefined,
        ...{ delayMs: undefined, gapsMs: undefined, session: undefined, requestId: undefined },
        error: isDone ? undefined : status?.[i],
      });
      requests.push(request);
      endMs = Math.max(endMs, (request.arrivalMs ?? 0) + (request.e2eMs ?? 0));
    }
  }
  if (requests.length === 0)
    throw new InputError(
      `${manifest.run}: it kept no request rows, expected a run with --detail requests=all`,
    );
  const [instance] = cluster.instances;
  return {
    run: manifest.run,
    model: (instance?.serves === 'server' ? instance.served_model : undefined) ?? cluster.model,
    startedMs: Date.parse(manifest.started),
    durationS: endMs > 0 ? endMs / 1000 : (manifest.wall_s ?? 0),
    engine: `dyno-${engine}`,
    dynoVersion: manifest.versions['dyno'] ?? 'unknown',
    requests,
  };
}
