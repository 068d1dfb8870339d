import { distribution } from '../metrics/percentile.ts';
import { Sketch } from '../metrics/sketch.ts';
import { hasFleet } from '../run/fleetSpec.ts';
import type { RunSpec } from '../run/spec.ts';
import type {
  Distribution,
  FleetSummary,
  InstanceSummary,
  LatencyMetricId,
  Summary,
} from '../run/summary.ts';
import type { PrefixFetchSummary } from '../run/tierSummary.ts';
import { Phase } from '../serving/requestTable.ts';
import { addCounts, type TechniqueCounts, techniqueSummary } from '../serving/techniques/techniqueCounts.ts';
import { totals as trafficTotals } from '../traffic/shape.ts';
import type { Traffic } from '../traffic/traffic.ts';
import type { Ns } from '../units.ts';
import { AdmissionTotals } from './admissionTotals.ts';
import { ParallelTotals } from './parallelTotals.ts';
import { QualityTotals } from './qualityTotals.ts';
import { isGood } from './recorder.ts';
import type { FleetTotals, ReplicateResult } from './replicateResult.ts';
import { SchedulingTotals } from './schedulingTotals.ts';
import { TierTotals } from './tierTotals.ts';
import { UseTotals } from './useTotals.ts';
import { PoolTotals, WindowTotals } from './windowTotals.ts';

/** Values that grow by a replicate at a time. */
class Column {
  private values = new Float64Array(0);
  private length = 0;

  reserve(more: number): void {
    const larger = new Float64Array(this.length + more);
    larger.set(this.values.subarray(0, this.length));
    this.values = larger;
  }
  push(value: number): void {
    this.values[this.length++] = value;
  }
  get distribution(): Distribution | undefined {
    return distribution(this.values, this.length);
  }
}

interface InstanceTotals {
  prefills: number;
  completed: number;
  promptTokens: number;
  outputTokens: number;
  busyNs: number;
  peakFraction: number;
  blockRefs: number;
  hits: number;
  queueIntegral: number;
  queuePeak: number;
  kvBlocks: number;
}

/** Sums replicates up into summary.json. */
export class Totals {
  private readonly spec: RunSpec;
  private readonly traffic: Traffic;
  private readonly ttft = new Column();
  private readonly tpot = new Column();
  private readonly e2e = new Column();
  private readonly tbt10 = new Column();
  private readonly queue = new Column();
  private readonly itlMs = new Sketch();
  private readonly parallel = new ParallelTotals();
  private readonly window: WindowTotals;
  private readonly pools: PoolTotals;
  private readonly use: UseTotals;
  private readonly instances: InstanceTotals[];
  private readonly admission: AdmissionTotals;
  private readonly quality: QualityTotals;
  private readonly scheduling: SchedulingTotals;
  private arrived = 0;
  private completed = 0;
  private rejected = 0;
  private failures = 0;
  private preempted = 0;
  private migrated = 0;
  private good = 0;
  private evictions = 0;
  private stranded = 0;
  private readonly tiers = new TierTotals();
  private prefixFetches: PrefixFetchSummary | undefined;
  private transfers = 0;
  private transferBytes = 0;
  private hitTokens = 0;
  private promptTokens = 0;
  private outputTokens = 0;
  private makespanNs = 0;
  private observedNs = 0;
  private replicates = 0;
  private technique: TechniqueCounts | undefined;
  private readonly fleet = {
    gpuSeconds: 0,
    scaleUps: 0,
    scaleDowns: 0,
    roleChanges: 0,
    crashes: 0,
    lost: 0,
    bounces: 0,
    lostKvTokens: 0,
  };

  constructor(spec: RunSpec, traffic: Traffic) {
    this.spec = spec;
    this.traffic = traffic;
    this.admission = new AdmissionTotals(spec);
    this.quality = new QualityTotals(spec);
    this.scheduling = new SchedulingTotals(spec);
    this.window = new WindowTotals(spec);
    this.pools = new PoolTotals(spec);
    this.use = new UseTotals(spec);
    this.instances = spec.cluster.instances.map(() => ({
      prefills: 0,
      completed: 0,
      promptTokens: 0,
      outputTokens: 0,
      busyNs: 0,
      peakFraction: 0,
      blockRefs: 0,
      hits: 0,
      queueIntegral: 0,
      queuePeak: 0,
      kvBlocks: 0,
    }));
  }

  add(replicate: ReplicateResult): void {
    const { requests } = replicate;
    const { traffic } = requests;
    this.replicates++;
    const measured = this.window.add(replicate);
    for (const column of [this.ttft, this.tpot, this.e2e, this.tbt10, this.queue])
      column.reserve(replicate.arrived);
    for (let r = 0; r < replicate.arrived; r++) {
      if (!requests.came(r)) continue;
      this.arrived++;
      const arrival = traffic.arrivalNs[r] ?? 0;
      const scheduled = requests.scheduledNs[r] ?? Number.NaN;
      const first = requests.firstTokenNs[r] ?? Number.NaN;
      const finish = requests.finishNs[r] ?? Number.NaN;
      const n = requests.outputTokens[r] ?? 0;
      const prompt = traffic.promptTokens[r] ?? 0;
      // What failed stays in the tables, and in no latency.
      if (requests.phase[r] === Phase.failed) continue;
      const served = requests.phase[r] !== Phase.rejected;
      const good = !Number.isNaN(finish) && isGood(this.spec.slo, requests, r);
      const ttft = served ? (first - arrival) / 1e6 : Number.NaN;
      const tpot = n < 2 ? Number.NaN : (finish - first) / (n - 1) / 1e6;
      this.window.ended(measured, finish, good, prompt, n);
      if (this.window.holds(measured, arrival)) {
        this.queue.push(served ? (scheduled - arrival) / 1e6 : Number.NaN);
        this.ttft.push(ttft);
        this.tbt10.push((requests.tbt10Ns[r] ?? Number.NaN) / 1e6);
        this.e2e.push((finish - arrival) / 1e6);
        this.tpot.push(tpot);
        this.window.arrived(arrival, ttft, tpot, good);
        this.pools.add(requests.prefillInstance[r] ?? -1, requests.decodeInstance[r] ?? -1, ttft, tpot);
      }
      if ((requests.preemptions[r] ?? 0) > 0) this.preempted++;
      if ((requests.migrations[r] ?? 0) > 0) this.migrated++;
      this.hitTokens += requests.cachedTokens[r] ?? 0;
      if (!Number.isNaN(first)) {
        const at = this.instances[requests.prefillInstance[r] ?? -1];
        if (at !== undefined) {
          at.prefills++;
          at.promptTokens += prompt;
        }
        this.promptTokens += prompt;
      }
      if (good) this.good++;
    }
    const end = Math.max(replicate.clock, replicate.lastFinish);
    let replicateHits = 0;
    replicate.replicas.forEach((replica, i) => {
      const at = this.instances[i];
      if (at === undefined) return;
      const found = replica.totals(end);
      this.use.add(replica, i, end, found.busyNs);
      at.completed += found.completed;
      at.outputTokens += found.outputTokens;
      at.busyNs += found.busyNs;
      at.peakFraction = Math.max(at.peakFraction, found.kvPeak / found.kvBlocks);
      at.blockRefs += found.blockRefs;
      at.hits += found.hits;
      at.queueIntegral += found.queueIntegral;
      at.queuePeak = Math.max(at.queuePeak, found.queuePeak);
      at.kvBlocks = found.kvBlocks;
      replicateHits += found.hits;
      this.outputTokens += found.outputTokens;
      if (found.technique !== undefined) {
        if (this.technique === undefined) this.technique = { ...found.technique };
        else addCounts(this.technique, found.technique);
      }
      this.evictions += found.evictions;
      this.stranded += found.stranded;
    });
    if (replicate.prefixFetches !== undefined) {
      this.prefixFetches = added(this.prefixFetches, replicate.prefixFetches.summary);
    }
    if (replicate.tiers !== undefined) {
      this.tiers.add(replicate.tiers, replicateHits, end);
    }
    this.completed += replicate.completed;
    this.rejected += replicate.rejected;
    this.failures += replicate.failures;
    this.transfers += replicate.transfers;
    this.transferBytes += replicate.transferBytes;
    this.itlMs.merge(replicate.itlMs);
    this.admission.add(replicate);
    this.quality.add(replicate);
    this.parallel.add(replicate.couplings);
    this.scheduling.add(replicate);
    if (replicate.fleet !== undefined)
      this.addFleet(replicate.fleet, replicate.done ? replicate.lastFinish : end);
    this.makespanNs += replicate.done ? replicate.lastFinish : end;
    this.observedNs += end;
  }

  private addFleet(fleet: FleetTotals, end: Ns): void {
    const sum = this.fleet;
    sum.gpuSeconds += fleet.gpuSeconds(end);
    sum.scaleUps += fleet.scaleUps;
    sum.scaleDowns += fleet.scaleDowns;
    sum.roleChanges += fleet.roleChanges;
    sum.crashes += fleet.crashes;
    sum.lost += fleet.lost;
    sum.bounces += fleet.bounces;
    sum.lostKvTokens += fleet.lostKvTokens;
  }

  private fleetSummary(hasSlo: boolean): FleetSummary {
    const { fleet } = this;
    const hours = fleet.gpuSeconds / 3600;
    return {
      gpu_hours: hours,
      ...(hasSlo && hours > 0 ? { good_per_gpu_hour: this.good / hours } : {}),
      scale_ups: fleet.scaleUps,
      scale_downs: fleet.scaleDowns,
      role_changes: fleet.roleChanges,
      crashes: fleet.crashes,
      lost_requests: fleet.lost,
      bounces: fleet.bounces,
      lost_kv_tokens: fleet.lostKvTokens,
    };
  }

  summary(): Summary {
    const { spec } = this;
    const source = trafficTotals(this.traffic);
    const seconds = this.makespanNs / 1e9;
    const { rates } = this.window;
    const latency: Partial<Record<LatencyMetricId, Distribution>> = {};
    const put = (id: LatencyMetricId, d: Distribution | undefined): void => {
      if (d !== undefined) latency[id] = d;
    };
    put('ttft_ms', this.ttft.distribution);
    put('tpot_ms', this.tpot.distribution);
    put('itl_ms', this.itlMs.distribution());
    put('tbt10_ms', this.tbt10.distribution);
    put('e2e_ms', this.e2e.distribution);
    put('queue_ms', this.queue.distribution);
    const blockRefs = this.instances.reduce((sum, i) => sum + i.blockRefs, 0);
    const hits = this.instances.reduce((sum, i) => sum + i.hits, 0);
    const { ttft_ms, tpot_ms, e2e_ms } = spec.slo;
    const hasSlo = ttft_ms !== undefined || tpot_ms !== undefined || e2e_ms !== undefined;
    const admission = this.admission.summary(seconds);
    const quality = this.quality.summary();
    const scheduling = this.scheduling.summary();
    const tiers = this.tiers.summary;
    const perInstance = this.instances.map((at, i): InstanceSummary => {
      const instance = spec.cluster.instances[i];
      return known<InstanceSummary>({
        instance: i,
        name: instance?.name ?? '',
        pool: instance?.pool ?? 'mixed',
        prefills: at.prefills,
        completed: at.completed,
        prompt_tokens: at.promptTokens,
        output_tokens: at.outputTokens,
        busy_fraction: this.observedNs > 0 ? at.busyNs / this.observedNs : 0,
        kv_blocks: at.kvBlocks,
        kv_peak_fraction: at.peakFraction,
        block_refs: at.blockRefs,
        hits: at.hits,
        queue_mean: this.observedNs > 0 ? at.queueIntegral / this.observedNs : 0,
        queue_peak: at.queuePeak,
      });
    });
    return {
      schema: 1,
      target: spec.target,
      variant: spec.variant,
      engine: spec.engine,
      simulated: spec.engine === 'sim',
      seed: spec.seed,
      iterations: this.replicates,
      traffic: {
        name: source.requests === 0 ? '' : this.traffic.name,
        requests: source.requests,
        prompt_tokens: source.promptTokens,
        output_tokens: source.outputTokens,
        block_refs: source.blockRefs,
        duration_s: source.durationNs / 1e9,
        ...(this.traffic.source === undefined ? {} : { source: this.traffic.source }),
      },
      metrics: latency,
      requests: {
        arrived: this.arrived,
        admitted: this.arrived - this.rejected,
        rejected: this.rejected,
        completed: this.completed,
        ...(this.failures > 0 ? { failed: this.failures } : {}),
        unfinished: this.arrived - this.rejected - this.completed - this.failures,
        preempted: this.preempted,
        migrated: this.migrated,
      },
      kv: {
        block_refs: blockRefs,
        hits,
        hit_rate: blockRefs > 0 ? hits / blockRefs : 0,
        hit_tokens: this.hitTokens,
        ...(Number.isNaN(this.evictions) ? {} : { evictions: this.evictions }),
        ...((this.spec.cluster.kv.eviction ?? 'lru-prefix') === 'lru-prefix'
          ? {}
          : { stranded: this.stranded }),
        transfers: this.transfers,
        transfer_bytes: this.transferBytes,
        ...(tiers === undefined ? {} : { tiers }),
        ...(this.prefixFetches === undefined ? {} : { prefix_fetches: this.prefixFetches }),
      },
      window: this.window.summary(hasSlo),
      ...this.window.overload(),
      ...this.pools.summary(),
      ...this.use.summary(),
      ...(hasSlo ? { goodput_rps: rates.good, good_requests: this.good } : {}),
      throughput_rps: rates.completed,
      output_tokens_per_s: rates.outputTokens,
      prompt_tokens_per_s: rates.promptTokens,
      makespan_s: seconds,
      balance: {
        request_imbalance: imbalance(perInstance, (i) => (i.pool === 'decode' ? i.completed : i.prefills)),
        token_imbalance: imbalance(perInstance, (i) =>
          i.pool === 'decode' ? i.output_tokens : i.prompt_tokens + i.output_tokens,
        ),
      },
      ...(this.technique === undefined ? {} : { technique: techniqueSummary(this.technique) }),
      ...this.parallel.summary(),
      per_instance: perInstance,
      ...(scheduling === undefined ? {} : { scheduling }),
      ...(admission === undefined ? {} : { admission }),
      ...(quality === undefined ? {} : { quality }),
      ...(hasFleet(spec) ? { fleet: this.fleetSummary(hasSlo) } : {}),
    };
  }
}

const added = (sum: PrefixFetchSummary | undefined, more: PrefixFetchSummary): PrefixFetchSummary => ({
  fetches: (sum?.fetches ?? 0) + more.fetches,
  blocks: (sum?.blocks ?? 0) + more.blocks,
  bytes: (sum?.bytes ?? 0) + more.bytes,
  wait_s: (sum?.wait_s ?? 0) + more.wait_s,
  refused: (sum?.refused ?? 0) + more.refused,
});

/** Leaves out the figures that are not known (NaN). */
function known<T extends object>(all: T): T {
  for (const [key, value] of Object.entries(all)) {
    if (typeof value === 'number' && Number.isNaN(value)) Reflect.deleteProperty(all, key);
  }
  return all;
}

/** max/mean within each pool; the worst pool's. 1 where nothing was done. */
function imbalance(instances: readonly InstanceSummary[], load: (i: InstanceSummary) => number): number {
  let worst = 1;
  for (const role of ['prefill', 'decode', 'mixed'] as const) {
    const loads = instances.filter((i) => i.pool === role).map(load);
    const sum = loads.reduce((a, b) => a + b, 0);
    if (sum > 0) worst = Math.max(worst, (Math.max(...loads) * loads.length) / sum);
  }
  return worst;
}
