import { StochasticCost, serviceMoments } from '../../cost/stochasticCost.ts';
import type { ServiceSpec } from '../../run/costSpec.ts';
import { stream } from '../../run/random.ts';
import { type RunSpec, runSpec } from '../../run/spec.ts';
import type { Batch, EventSink } from '../../run/tables.ts';
import { absentInt32 } from '../../run/tables.ts';
import type { Traffic } from '../../traffic/traffic.ts';
import type { Ms, Ns } from '../../units.ts';
import { simEngine } from './engine.ts';

/** Queueing studies on the simulator itself: one instance, Poisson arrivals, service times by chance, against closed forms. */

function studySpec(service: ServiceSpec, seed: number): RunSpec {
  return runSpec.parse({
    schema: 2,
    target: 'queue study',
    variant: service.kind,
    engine: 'sim',
    parameters: {},
    traffic: { kind: 'trace', path: 'drawn', format: 'mooncake' },
    cluster: {
      model: 'llama-3.1-8b',
      instances: [
        {
          name: 'server',
          pool: 'mixed',
          serves: 'modelled',
          cost: { kind: 'stochastic', service },
          kv_blocks: 1_000_000,
        },
      ],
      scheduler: { max_batched_tokens: 16, max_sequences: 1 },
      kv: { block_tokens: 16, prefix_reuse: false },
      link: { bandwidth_gb_per_s: 1, latency_us: 0 },
    },
    policy: { router: 'round_robin', router_parameters: {} },
    slo: {},
    seed,
    iterations: 1,
    detail: { decisions: 'none', iterations: 'none' },
  });
}

/** Poisson arrivals of requests of one token in and one out, so many that the server is busy for a share `rho` of the time. */
function poisson(requests: number, service: ServiceSpec, rho: number, seed: number): Traffic {
  const gaps = stream(seed, 'arrivals');
  const gapMs = serviceMoments(service).mean / rho;
  const arrivalNs = new Float64Array(requests);
  let at = 0;
  for (let r = 0; r < requests; r++) {
    at += gaps.exponential(gapMs * 1e6);
    arrivalNs[r] = Math.round(at);
  }
  return {
    name: 'Poisson',
    requests,
    arrivalNs,
    promptTokens: new Int32Array(requests).fill(1),
    outputTokens: new Int32Array(requests).fill(1),
    priority: new Uint8Array(requests),
    session: new Int32Array(requests).fill(absentInt32),
    blockTokens: 0,
    blockOffsets: new Int32Array(requests + 1),
    blockIds: new Int32Array(0),
    uniqueBlocks: 0,
  };
}

class Rows implements EventSink {
  readonly rows: { scheduledNs: Ns; finishNs: Ns }[] = [];
  batch({ schema, rows, data }: Batch): void {
    if (schema.name !== 'requests') return;
    const column = (name: string) => data[schema.columns.findIndex((c) => c.name === name)];
    for (let i = 0; i < rows; i++) {
      this.rows[Number(column('request')?.[i])] = {
        scheduledNs: Number(column('scheduled_ns')?.[i]),
        finishNs: Number(column('finish_ns')?.[i]),
      };
    }
  }
  progress(): void {}
  log(): void {}
}

/** Every request with its times, its arrival and the service that it drew. */
export function singleServer(service: ServiceSpec, rho: number, requests: number, seed: number) {
  const traffic = poisson(requests, service, rho, seed);
  const sink = new Rows();
  const run = simEngine.open(studySpec(service, seed), () => traffic, sink);
  while (!run.step(Number.POSITIVE_INFINITY, 1_000_000));
  run.finish();
  const cost = new StochasticCost(service, seed, 0);
  return {
    rows: sink.rows,
    arrivalNs: traffic.arrivalNs,
    serviceNs: Float64Array.from({ length: requests }, (_, r) => cost.serviceNs(r)),
  };
}

/**
 * Mean wait: simulated, and of M/G/1 (Pollaczek and Khinchine): λ E[S²] ÷ (2 (1 − ρ)), with the moments of the distribution and
 * with those of the draws themselves. A heavy tail needs millions of draws before its mean square is near the distribution's.
 */
export function meanWait(
  service: ServiceSpec,
  rho: number,
  requests: number,
  seed: number,
): { readonly simulated: Ms; readonly expected: Ms; readonly ofDraws: Ms } {
  const traffic = poisson(requests, service, rho, seed);
  const spec = studySpec(service, seed);
  const quiet = runSpec.parse({
    ...spec,
    detail: { requests: 'none', decisions: 'none', iterations: 'none' },
  });
  const run = simEngine.open(quiet, () => traffic, { wants: [], batch() {}, progress() {}, log() {} });
  while (!run.step(Number.POSITIVE_INFINITY, 1_000_000));
  const { mean, square } = serviceMoments(service);
  const cost = new StochasticCost(service, seed, 0);
  let sum = 0;
  let squares = 0;
  for (let r = 0; r < requests; r++) {
    const ms = cost.serviceNs(r) / 1e6;
    sum += ms;
    squares += ms * ms;
  }
  const perMs = requests / ((traffic.arrivalNs[requests - 1] ?? 0) / 1e6);
  return {
    ofDraws: (perMs * (squares / requests)) / (2 * (1 - (perMs * sum) / requests)),
    simulated: run.finish().metrics.queue_ms?.mean ?? Number.NaN,
    expected: ((rho / mean) * square) / (2 * (1 - rho)),
  };
}
