import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { chainKey, rootKey } from '../../../workloads/engines/http/servers/chainKeys.ts';
import type { LiveRouter } from '../../../workloads/engines/http/servers/liveRouter.ts';
import { defined } from '../../../workloads/results/jsonValues.ts';
import type { ResultRequest } from '../../../workloads/results/measuredResult.ts';
import { resultSummary } from '../../../workloads/results/resultRun.ts';
import type { ParameterValues } from '../../../workloads/run/parameter.ts';
import { type RunSpec, runSpec } from '../../../workloads/run/spec.ts';
import {
  absentInt32,
  type Batch,
  decisionsTable,
  requestsTable,
  samplesTable,
  type TableSchema,
} from '../../../workloads/run/tables.ts';
import { TrafficBuilder } from '../../../workloads/traffic/trafficBuilder.ts';
import { mooncakeBlockTokens, writeMooncake } from '../../../workloads/traffic/writers.ts';
import type { RoutedRequest } from '../../shared/proxy/proxyServer.ts';
import { RunFailure } from '../../shared/runFailure.ts';
import { StreamDecoder } from '../../shared/stream/decoder.ts';
import { StreamEncoder } from '../../shared/stream/encoder.ts';
import { lockBundle, unlockBundle } from '../store/bundleLock.ts';
import { BundleWriter } from '../store/bundleWriter.ts';
import { makeFolder } from '../store/makeFolder.ts';
import { type Hardware, type Manifest, writeManifest } from '../store/manifest.ts';
import { newRunId } from '../store/runsFolder.ts';
import { sealBundle } from '../store/seal.ts';
import { storeError } from './activeRun.ts';
import { sentName } from './importRun.ts';

type Row = Readonly<Record<string, number | string | undefined>>;

/** The requests of a proxy, as a run bundle: rows go out at once, the summary and a replayable trace at the end. */
export class RouteRecord {
  readonly folder: string;
  private readonly spec: RunSpec;
  private manifest: Manifest;
  private readonly writer: BundleWriter;
  private readonly router: LiveRouter;
  private readonly encoder = new StreamEncoder();
  private readonly decoder = new StreamDecoder();
  private readonly decisions: TableSchema;
  private readonly results: ResultRequest[] = [];
  private readonly sent: {
    readonly at: number;
    readonly prompt: number;
    readonly output: number;
    readonly ids: Int32Array | undefined;
  }[] = [];
  private routed = 0;
  private hits = 0;
  private reported = 0;

  private constructor(
    folder: string,
    spec: RunSpec,
    manifest: Manifest,
    writer: BundleWriter,
    router: LiveRouter,
  ) {
    this.folder = folder;
    this.spec = spec;
    this.manifest = manifest;
    this.writer = writer;
    this.router = router;
    this.decisions = decisionsTable(router.kind.terms);
  }

  static async open(
    runs: string,
    router: LiveRouter,
    about: {
      readonly parameters: ParameterValues;
      readonly versions: Readonly<Record<string, string>>;
      readonly hardware?: Hardware;
    },
  ): Promise<RouteRecord> {
    const run = newRunId(`route-${router.kind.id}`);
    const folder = join(runs, run);
    const spec = routeSpec(router, about.parameters, join(folder, sentName));
    const manifest: Manifest = {
      ...{
        schema: 1,
        run,
        group: run,
        title: `Routed traffic · ${router.kind.label}`,
        status: 'running',
        spec,
      },
      ...{ started: new Date().toISOString(), versions: { ...about.versions }, tags: ['routed'], note: '' },
      ...(about.hardware === undefined ? {} : { hardware: about.hardware }),
      files: {},
    };
    try {
      await makeFolder(folder);
      lockBundle(folder);
      await writeManifest(folder, manifest);
      const writer = await BundleWriter.create(folder, () => undefined);
      return new RouteRecord(folder, spec, manifest, writer, router);
    } catch (thrown) {
      // The error that is thrown matters more than a folder that could not be removed.
      await rm(folder, { recursive: true, force: true }).catch(() => undefined);
      throw new RunFailure(storeError(folder, thrown));
    }
  }

  get run(): string {
    return this.manifest.run;
  }

  /** A request is over. */
  request(routed: RoutedRequest): void {
    this.routed += 1;
    const { asked, seen, decision, arrivedMs, endedMs, outcome } = routed;
    const isDone = outcome === 'completed';
    const promptTokens = seen?.promptTokens ?? (asked.isText ? undefined : asked.promptTokens);
    const last = seen?.lastTokenMs ?? (isDone ? endedMs : undefined);
    const first = seen?.firstTokenMs;
    const tokens =
      seen !== undefined && (seen.isExact || seen.outputTokens > 0) ? seen.outputTokens : undefined;
    const result = defined<ResultRequest>({
      status: isDone ? 'completed' : 'failed',
      arrivalMs: arrivedMs,
      ttftMs: isDone && first !== undefined ? first - arrivedMs : undefined,
      e2eMs: isDone && last !== undefined ? last - arrivedMs : undefined,
      tpotMs:
        isDone && first !== undefined && last !== undefined && tokens !== undefined && tokens > 1
          ? (last - first) / (tokens - 1)
          : undefined,
      ...{ promptTokens, outputTokens: tokens, cachedTokens: seen?.cachedTokens },
      ...{ delayMs: undefined, gapsMs: undefined, session: asked.session, requestId: undefined },
      error: routed.reason,
    });
    this.results.push(result);
    if (seen?.cachedTokens !== undefined && promptTokens !== undefined) {
      this.hits += seen.cachedTokens;
      this.reported += promptTokens;
    }
    this.append(requestsTable, [
      {
        ...{ iteration: 0, request: routed.index, status: outcome, arrival_ns: arrivedMs * 1e6 },
        first_token_ns: first === undefined ? undefined : first * 1e6,
        finish_ns: isDone && last !== undefined ? last * 1e6 : undefined,
        ...{ prompt_tokens: promptTokens, output_tokens: tokens, cached_tokens: seen?.cachedTokens },
        ...{ prefill_instance: decision?.server, decode_instance: decision?.server },
        ...{ ttft_ms: result.ttftMs, tpot_ms: result.tpotMs, e2e_ms: result.e2eMs },
      },
    ]);
    if (decision !== undefined) this.append(this.decisions, this.decisionRows(routed));
    if (routed.reason !== undefined)
      this.writer.log('warning', `request ${routed.index}: ${routed.reason}`, endedMs * 1e6);
    if (isDone && promptTokens !== undefined)
      this.sent.push({
        ...{ at: arrivedMs, prompt: promptTokens, output: Math.max(1, tokens ?? 1) },
        ids: asked.isText ? undefined : Int32Array.from(asked.prompt),
      });
  }

  /** One reading per second of what goes on. */
  sample(nowMs: number): void {
    const rows = this.router.servers.flatMap((_, i): Row[] => {
      const { waiting, running } = this.router.inFlightOn(i);
      const at = { iteration: 0, time_ns: nowMs * 1e6, source: `instance:${i}` };
      return [
        { ...at, metric: 'queue_depth', value: waiting },
        { ...at, metric: 'running', value: running },
      ];
    });
    this.append(samplesTable, rows);
  }

  log(level: 'info' | 'warning', message: string, nowMs: number): void {
    this.writer.log(level, message, nowMs * 1e6);
  }

  /** Seals the bundle; a proxy that served no request leaves none. */
  async close(nowMs: number): Promise<string | undefined> {
    if (this.routed === 0) {
      this.writer.close({ remove: true });
      unlockBundle(this.folder);
      await rm(this.folder, { recursive: true, force: true });
      return undefined;
    }
    try {
      await this.writer.export();
      await writeFile(join(this.folder, sentName), this.trace());
      this.manifest = {
        ...this.manifest,
        ...{ status: 'done', ended: new Date().toISOString(), wall_s: Math.round(nowMs) / 1000 },
      };
      await sealBundle(this.folder, this.manifest, this.summary());
      this.writer.close({ remove: true });
      unlockBundle(this.folder);
      return this.folder;
    } catch (thrown) {
      this.writer.close({ remove: false });
      throw new RunFailure(storeError(this.folder, thrown));
    }
  }

  private summary(): object {
    const { prefixes, servers } = this.router;
    return {
      ...resultSummary(
        {
          ...{ format: 'aiperf-records', tool: 'dyno route', requests: this.results, figures: {} },
          ...{ settings: {}, unknown: [], remarks: [] },
        },
        this.spec,
      ),
      imported: undefined,
      reported: undefined,
      routing: {
        policy: this.router.kind.id,
        /** Cached ÷ prompt tokens over the answers that reported both; absent where none did. */
        ...(this.reported > 0 ? { hit_rate: this.hits / this.reported } : {}),
        servers: servers.map(({ name }, i) => {
          const found = prefixes[i]?.misprediction;
          return {
            name,
            ...(found === undefined || found.answers === 0
              ? {}
              : { answers: found.answers, mispredicted: found.wrong, mean_error_tokens: found.meanError }),
          };
        }),
      },
    };
  }

  private decisionRows({ index, decision, arrivedMs }: RoutedRequest): Row[] {
    if (decision === undefined) return [];
    const { terms } = this.router.kind;
    return this.router.servers.flatMap((_, i): Row[] => {
      const total = decision.totals[i] ?? Number.NaN;
      if (Number.isNaN(total) && i !== decision.server) return [];
      const scores = terms.map(({ id }, t) => [`term_${id}`, decision.terms[i * terms.length + t]] as const);
      return [
        {
          ...{ iteration: 0, request: index, time_ns: arrivedMs * 1e6, stage: 'prefill', instance: i },
          ...{ chosen: i === decision.server ? 1 : 0, score: total, ...Object.fromEntries(scores) },
        },
      ];
    });
  }

  /** The completed requests as a Mooncake trace; with hash ids where every prompt came as token ids. */
  private trace(): string {
    const hasIds = this.sent.length > 0 && this.sent.every(({ ids }) => ids !== undefined);
    const builder = new TrafficBuilder(this.run, hasIds ? mooncakeBlockTokens : 0);
    for (const { at, prompt, output, ids } of this.sent) {
      if (hasIds && ids !== undefined) {
        let key = rootKey;
        for (let from = 0; from < prompt; from += mooncakeBlockTokens) {
          key = chainKey(key, ids, from, Math.min(from + mooncakeBlockTokens, prompt));
          builder.block(key);
        }
      }
      builder.request(Math.round(at * 1e6), prompt, output);
    }
    return [...writeMooncake(builder.traffic())].join('');
  }

  private append(schema: TableSchema, rows: readonly Row[]): void {
    for (const frame of this.encoder.batch(batchOf(schema, rows)))
      this.decoder.push(frame, (message) => {
        if (message.kind === 'batch') this.writer.append(message);
      });
  }
}

function batchOf(schema: TableSchema, rows: readonly Row[]): Batch {
  const number = (row: Row, name: string, absent: number): number => {
    const value = row[name];
    return typeof value === 'number' && !Number.isNaN(value) ? value : absent;
  };
  return {
    schema,
    rows: rows.length,
    data: schema.columns.map(({ name, type }) => {
      switch (type) {
        case 'float64':
          return Float64Array.from(rows, (row) => number(row, name, Number.NaN));
        case 'ns':
          return Float64Array.from(rows, (row) => Math.round(number(row, name, Number.NaN)));
        case 'int32':
          return Int32Array.from(rows, (row) => Math.round(number(row, name, absentInt32)));
        case 'bool':
          return Uint8Array.from(rows, (row) => number(row, name, 2));
        case 'text':
          return rows.map((row) => String(row[name] ?? ''));
        default: {
          const never: never = type;
          throw new RangeError(String(never));
        }
      }
    }),
  };
}

function routeSpec(router: LiveRouter, parameters: ParameterValues, trace: string): RunSpec {
  return runSpec.parse({
    ...{ schema: 2, target: 'route', variant: router.kind.id, engine: 'http', parameters: {} },
    traffic: { kind: 'trace', path: trace, format: 'mooncake' },
    cluster: {
      model: router.servers[0]?.served_model ?? 'unknown',
      instances: router.servers,
      scheduler: { max_batched_tokens: 8192, max_sequences: 256 },
      kv: { block_tokens: 16, prefix_reuse: true },
      link: { bandwidth_gb_per_s: 64, latency_us: 0 },
    },
    policy: { router: router.kind.id, router_parameters: parameters },
    ...{ slo: {}, seed: 0, iterations: 1, detail: {} },
  });
}
