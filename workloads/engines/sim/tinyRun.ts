import { type ClusterSpec, type RunSpec, runSpec } from '../../run/spec.ts';
import type { Summary } from '../../run/summary.ts';
import { absentInt32, type Batch, type EventSink } from '../../run/tables.ts';
import type { Traffic } from '../../traffic/traffic.ts';
import { simEngine } from './engine.ts';

/** Builders for tests and examples: a cluster and a few requests small enough to be computed by hand. */

export interface TinyRequest {
  /** Arrival, ms. */
  readonly at: number;
  readonly prompt: number;
  readonly output: number;
  /** Block ids of the prompt; all requests or none have them. */
  readonly ids?: readonly number[];
  readonly priority?: number;
}

export function tinyTraffic(requests: readonly TinyRequest[], blockTokens = 0): Traffic {
  const ids = requests.flatMap((r) => r.ids ?? []);
  const offsets = new Int32Array(requests.length + 1);
  requests.forEach((r, i) => {
    offsets[i + 1] = (offsets[i] ?? 0) + (r.ids?.length ?? 0);
  });
  return {
    name: 'tiny',
    requests: requests.length,
    arrivalNs: Float64Array.from(requests, (r) => Math.round(r.at * 1e6)),
    promptTokens: Int32Array.from(requests, (r) => r.prompt),
    outputTokens: Int32Array.from(requests, (r) => r.output),
    priority: Uint8Array.from(requests, (r) => r.priority ?? 0),
    session: new Int32Array(requests.length).fill(absentInt32),
    blockTokens: ids.length > 0 ? blockTokens : 0,
    blockOffsets: offsets,
    blockIds: Int32Array.from(ids),
    uniqueBlocks: ids.length === 0 ? 0 : Math.max(...ids) + 1,
  };
}

export interface TinyCluster {
  /** One entry per instance; 1,000 prompt tokens/s and 10 output tokens/s where not said: 1 ms and 100 ms per token. */
  readonly instances?: readonly {
    readonly pool?: 'prefill' | 'decode' | 'mixed';
    readonly prefill?: number;
    readonly decode?: number;
    readonly blocks?: number;
  }[];
  readonly budget?: number;
  readonly sequences?: number;
  readonly blockTokens?: number;
  readonly reuse?: boolean;
  readonly kv?: Omit<ClusterSpec['kv'], 'block_tokens' | 'prefix_reuse'>;
  readonly linkGbPerS?: number;
  readonly linkLatencyUs?: number;
  readonly handoff?: RunSpec['cluster']['handoff'];
  readonly timeline?: RunSpec['timeline'];
  readonly health?: RunSpec['health'];
  readonly autoscaling?: RunSpec['autoscaling'];
  readonly admission?: RunSpec['policy']['admission'];
  readonly router?: string;
  readonly routerParameters?: RunSpec['policy']['router_parameters'];
  readonly slo?: RunSpec['slo'];
  readonly seed?: number;
  readonly replicates?: number;
}

export function tinySpec(tiny: TinyCluster = {}): RunSpec {
  const cluster: ClusterSpec = {
    model: 'llama-3.1-8b',
    instances: (tiny.instances ?? [{}]).map((instance, i) => ({
      name: `i${i}`,
      pool: instance.pool ?? 'mixed',
      serves: 'modelled' as const,
      cost: {
        kind: 'rates',
        prefill_tokens_per_s: instance.prefill ?? 1000,
        decode_tokens_per_s: instance.decode ?? 10,
        iteration_overhead_us: 0,
      },
      kv_blocks: instance.blocks ?? 1000,
    })),
    scheduler: { max_batched_tokens: tiny.budget ?? 8192, max_sequences: tiny.sequences ?? 64 },
    kv: { block_tokens: tiny.blockTokens ?? 16, prefix_reuse: tiny.reuse ?? true, ...tiny.kv },
    link: { bandwidth_gb_per_s: tiny.linkGbPerS ?? 100, latency_us: tiny.linkLatencyUs ?? 0 },
    ...(tiny.handoff === undefined ? {} : { handoff: tiny.handoff }),
  };
  return runSpec.parse({
    schema: 2,
    target: 'tiny',
    variant: 'tiny',
    engine: 'sim',
    parameters: {},
    traffic: { kind: 'trace', path: 'tiny', format: 'mooncake' },
    cluster,
    policy: {
      router: tiny.router ?? 'round_robin',
      router_parameters: tiny.routerParameters ?? {},
      ...(tiny.admission === undefined ? {} : { admission: tiny.admission }),
    },
    slo: tiny.slo ?? {},
    ...(tiny.timeline === undefined ? {} : { timeline: tiny.timeline }),
    ...(tiny.health === undefined ? {} : { health: tiny.health }),
    ...(tiny.autoscaling === undefined ? {} : { autoscaling: tiny.autoscaling }),
    seed: tiny.seed ?? 1,
    iterations: tiny.replicates ?? 1,
    detail: {},
  });
}

/** Keeps every batch; reads tables back as objects, which is fine for tests only. */
export class KeepingSink implements EventSink {
  readonly batches: Batch[] = [];
  batch(batch: Batch): void {
    this.batches.push(batch);
  }
  progress(): void {}
  log(_level: string, _message: string): void {}

  table(name: string): Record<string, number | string>[] {
    const rows: Record<string, number | string>[] = [];
    for (const { schema, rows: count, data } of this.batches) {
      if (schema.name !== name) continue;
      for (let row = 0; row < count; row++) {
        const object: Record<string, number | string> = {};
        schema.columns.forEach((column, i) => {
          object[column.name] = data[i]?.[row] ?? '';
        });
        rows.push(object);
      }
    }
    return rows;
  }
}

export interface TinyRun {
  readonly summary: Summary;
  readonly sink: KeepingSink;
  /** Rows of the requests table in order of their index, times in ms. */
  readonly requests: readonly {
    readonly scheduled: number;
    readonly first: number;
    readonly finish: number;
    readonly cached: number;
    readonly prefillInstance: number;
    readonly decodeInstance: number;
    readonly transfer: number;
    readonly preemptions: number;
    readonly migrations: number;
  }[];
}

export function runSpecOn(spec: RunSpec, traffic: Traffic): { summary: Summary; sink: KeepingSink } {
  const sink = new KeepingSink();
  const run = simEngine.open(spec, () => traffic, sink);
  while (!run.step(Number.POSITIVE_INFINITY, 100_000));
  return { summary: run.finish(), sink };
}

export function tinyRun(cluster: TinyCluster, requests: readonly TinyRequest[], blockTokens = 16): TinyRun {
  const { summary, sink } = runSpecOn(tinySpec(cluster), tinyTraffic(requests, blockTokens));
  const ms = (value: number | string | undefined): number => Number(value) / 1e6;
  const rows = sink
    .table('requests')
    .sort((a, b) => Number(a['request']) - Number(b['request']))
    .map((row) => ({
      scheduled: ms(row['scheduled_ns']),
      first: ms(row['first_token_ns']),
      finish: ms(row['finish_ns']),
      cached: Number(row['cached_tokens']),
      prefillInstance: Number(row['prefill_instance']),
      decodeInstance: Number(row['decode_instance']),
      transfer: ms(row['transfer_ns']),
      preemptions: Number(row['preemptions']),
      migrations: Number(row['migrations']),
    }));
  return { summary, sink, requests: rows };
}
