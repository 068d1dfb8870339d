import { blockTokensOf, kvBlocksOf } from '../../cluster/blocks.ts';
import { kvBytesOf } from '../../cluster/links.ts';
import type { MadeReplicas, MakeRequest } from '../../cluster/replicaMaker.ts';
import type { CostModel } from '../../cost/costModel.ts';
import { RooflineCost } from '../../cost/rooflineCost.ts';
import { UnknownCost } from '../../cost/unknownCost.ts';
import { gpus } from '../../hardware/gpus.ts';
import { findModel } from '../../model/models.ts';
import type { GpuInstance } from '../../run/instanceSpec.ts';
import type { RunSpec } from '../../run/spec.ts';
import type { EventSink } from '../../run/tables.ts';
import { BlockTables } from '../../serving/blockTables.ts';
import { KvPools } from '../../serving/kvPools.ts';
import { continuousInstance } from '../../serving/makeInstance.ts';
import { hostBlocks } from '../../serving/schedulers/swapSpace.ts';
import { PromptTokens } from '../../traffic/promptTokens.ts';
import type { Traffic } from '../../traffic/traffic.ts';
import { onGpu, shapeForKernels } from './checkGpuSpec.ts';
import type { DeviceAnswer, DeviceError, DeviceInstance, DevicePool } from './device.ts';
import { DeviceClock } from './deviceClock.ts';
import { type CarrierEnd, GpuCarrier } from './gpuCarrier.ts';
import { GpuExecutor } from './gpuExecutor.ts';
import type { GpuHost, LoadedModel } from './gpuHost.ts';
import { GpuSwap } from './gpuSwap.ts';
import { LookupSpeculation } from './lookupSpeculation.ts';
import { PassTally } from './passTally.ts';
import { Sequences } from './sequences.ts';

/** One instance's share of a device. */
interface Seat {
  readonly spec: GpuInstance;
  readonly loaded: LoadedModel;
  readonly memory: DevicePool;
  /** Pinned host memory for preempted requests; absent where they are computed again. */
  readonly host?: DevicePool;
  readonly device: DeviceInstance;
}

/**
 * The instances of a spec on their devices. Models are loaded once per (device, model, weights) and shared; memory for KV and the
 * instances' workspaces are taken anew for each replicate, so that none sees another's cache.
 */
export class GpuCluster {
  failure: Error | undefined;
  /** The traffic as it names its blocks, for the tokens of prompts; absent: the replicate's. */
  prompts: Traffic | undefined;
  private readonly spec: RunSpec;
  private readonly host: GpuHost;
  private readonly sink: EventSink;
  private readonly models = new Map<string, LoadedModel>();
  private seats: Seat[] = [];
  private tallies: PassTally[] = [];

  constructor(spec: RunSpec, host: GpuHost, sink: EventSink) {
    this.spec = spec;
    this.host = host;
    this.sink = sink;
  }

  /** Loads what is not loaded and takes memory for one replicate of this traffic. Throws where it does not fit, and lets go of all. */
  async prepare(traffic: Traffic): Promise<void> {
    try {
      await this.leaveSeats();
      const blockTokens = blockTokensOf(this.spec, traffic);
      let longest = 0;
      for (let r = 0; r < traffic.requests; r++) {
        longest = Math.max(longest, (traffic.promptTokens[r] ?? 0) + (traffic.outputTokens[r] ?? 0));
      }
      for (const instance of this.spec.cluster.instances.map(onGpu)) {
        const loaded = await this.modelFor(instance);
        this.seats.push(await this.seat(instance, loaded, blockTokens, longest));
      }
    } catch (thrown) {
      await this.close();
      throw thrown;
    }
  }

  private async modelFor(instance: GpuInstance): Promise<LoadedModel> {
    const model = instance.model ?? this.spec.cluster.model;
    const { device, weights, precision = 'bf16' } = instance;
    const key = JSON.stringify([device, model, weights, precision]);
    const known = this.models.get(key);
    if (known !== undefined) return known;
    const loaded = await this.host.load({
      model,
      shape: shapeForKernels(model),
      device,
      weights,
      precision,
      progress: () => undefined,
    });
    this.models.set(key, loaded);
    const { parameters, weightBytes, loadSeconds } = loaded.model.info;
    this.sink.log(
      'info',
      `${model} on ${loaded.card}: ${(parameters / 1e9).toFixed(2)} B parameters, ${(weightBytes / 1e9).toFixed(2)} GB of weights in ${loadSeconds.toFixed(1)} s`,
    );
    return loaded;
  }

  private async seat(
    spec: GpuInstance,
    loaded: LoadedModel,
    blockTokens: number,
    longest: number,
  ): Promise<Seat> {
    const { max_sequences, max_batched_tokens } = this.spec.cluster.scheduler;
    const memory = this.answered(
      loaded.model.kvPool({ blocks: kvBlocksOf(this.spec, spec.kv_blocks, blockTokens), blockTokens }),
      `KV blocks of instance ${spec.name}`,
    );
    const rows = max_sequences * (1 + draftLength(this.spec));
    const made = loaded.model.instance({
      pool: memory,
      maxSequences: rows,
      maxTokens: max_batched_tokens,
      maxContext: Math.min(loaded.shape.maxPositions, Math.ceil(longest / blockTokens) * blockTokens),
      ...(spec.priority === undefined ? {} : { priority: -spec.priority }),
      ...(spec.sm_share === undefined ? {} : { smShare: spec.sm_share }),
    });
    if (!made.ok) memory.free();
    const device = this.answered(made, `instance ${spec.name}`);
    const seat = await this.withHost({ spec, loaded, memory, device }, blockTokens);
    const warm = await device.warm(Math.min(rows, 256));
    if (!warm.ok) {
      await this.leave(seat);
      throw this.host.refusal(warm.error);
    }
    return seat;
  }

  /** The seat with the host memory that its preemption asks for. */
  private async withHost(seat: Seat, blockTokens: number): Promise<Seat> {
    const preemption = swapOf(this.spec);
    if (preemption === undefined) return seat;
    const blocks = hostBlocks(preemption, blockTokens * kvBytesOf(this.spec.cluster));
    const made = seat.loaded.model.kvPool({ blocks, blockTokens, place: 'host' });
    if (made.ok) return { ...seat, host: made.value };
    await this.leave(seat);
    throw this.host.refusal({
      ...made.error,
      message: `host memory of instance ${seat.spec.name} (preemption.host_gb ${preemption.host_gb}): ${made.error.message}`,
    });
  }

  private answered<T>(answer: DeviceAnswer<T>, what: string): T {
    if (answer.ok) return answer.value;
    const { error } = answer;
    throw this.host.refusal({ ...error, message: `${what}: ${error.message}` });
  }

  /** The replicas of a replicate, on the seats that `prepare` took. */
  readonly replicas = ({ state, events, itlMs, mixedAsk, wall }: MakeRequest): MadeReplicas => {
    const { spec, requests, traffic, reuse, blockTokens, scheduling } = state;
    const { cluster } = spec;
    if (wall === undefined) throw new Error('engine cuda needs real time');
    requests.answerHash = new Int32Array(requests.count).fill(-1);
    const clock = new DeviceClock(
      () => this.host.monotonic(),
      () => wall.now(),
    );
    const failed = (error: DeviceError): void => {
      this.failure ??= this.host.refusal(error);
      wall.wake();
    };
    const byVocabulary = new Map<number, Sequences>();
    const sequencesFor = (vocabulary: number): Sequences => {
      const known = byVocabulary.get(vocabulary);
      if (known !== undefined) return known;
      const made = new Sequences(traffic, new PromptTokens(this.prompts ?? traffic, vocabulary, spec.seed));
      byVocabulary.set(vocabulary, made);
      return made;
    };
    const ends: CarrierEnd[] = [];
    this.tallies = this.seats.map(() => new PassTally());
    const pools = new KvPools(cluster.kv, reuse, traffic);
    const instances = this.seats.map((seat, index) => {
      const kvBlocks = kvBlocksOf(spec, seat.spec.kv_blocks, blockTokens);
      const pool = pools.make(kvBlocks);
      pool.tables = new BlockTables(kvBlocks);
      ends.push({ memory: seat.memory, model: seat.loaded.model });
      const cost = costOn(seat, seat.spec.model ?? cluster.model);
      const sequences = sequencesFor(seat.loaded.shape.vocab);
      const drafts = draftLength(spec);
      const speculation =
        drafts === 0 ? undefined : new LookupSpeculation(drafts, sequences, seat.loaded.shape.vocab);
      const executor = new GpuExecutor({
        device: seat.device,
        requests,
        sequences,
        ...(speculation === undefined ? {} : { speculation }),
        ...(seat.host === undefined
          ? {}
          : {
              swap: new GpuSwap({
                model: seat.loaded.model,
                device: seat.memory,
                host: seat.host,
                clock,
                swapped: (r, at, instance, direction, blocks, ns) => {
                  const bytes = blocks * (instance.swap?.blockBytes ?? 0);
                  events.swapped(r, at, instance, direction, blocks, bytes, ns);
                },
                failed,
              }),
            }),
        monotonic: () => this.host.monotonic(),
        clock,
        tally: this.tallies[index] ?? new PassTally(),
        blockTokens,
        label: seat.spec.name,
        failed,
      });
      const settings = {
        index,
        name: seat.spec.name,
        role: seat.spec.pool,
        cost,
        ...(speculation === undefined ? {} : { technique: speculation.technique(cost) }),
        kvBlocks,
        pool,
        blockTokens,
        prefixReuse: reuse,
        maxBatchedTokens: cluster.scheduler.max_batched_tokens,
        maxSequences: cluster.scheduler.max_sequences,
        asksWhereToDecode: seat.spec.pool === 'prefill' || (mixedAsk && seat.spec.pool === 'mixed'),
        withoutGaps: spec.detail.token_gaps === 'none',
        executor,
      };
      return (
        scheduling?.instance(settings, events, itlMs) ?? continuousInstance(settings, requests, events, itlMs)
      );
    });
    return {
      replicas: instances,
      instances,
      carrier: new GpuCarrier(ends, clock, failed),
    };
  };

  private tell(): void {
    this.tallies.forEach((tally, i) => {
      const seat = this.seats[i];
      if (seat === undefined || tally.passes === 0) return;
      this.sink.log('info', `${seat.spec.name}: ${tally.text(seat.loaded.shape.layers)}`);
    });
    this.tallies = [];
  }

  private async leave({ device, memory, host }: Pick<Seat, 'device' | 'memory' | 'host'>): Promise<void> {
    await device.close();
    memory.free();
    host?.free();
  }

  private async leaveSeats(): Promise<void> {
    this.tell();
    for (const seat of this.seats) await this.leave(seat);
    this.seats = [];
  }

  /** Gives all memory back; may be called more than once. */
  async close(): Promise<void> {
    await this.leaveSeats();
    const models = [...this.models.values()];
    this.models.clear();
    for (const { model } of models) await model.close();
  }
}

/** Preemption by swap, where the scheduler asks for it. */
function swapOf({ cluster }: RunSpec) {
  const { policy } = cluster.scheduler;
  if (policy === undefined || policy.kind === 'static' || policy.preemption.kind !== 'swap') return undefined;
  return policy.preemption;
}

/** Tokens that a pass may draft per sequence; 0 without speculation. */
const draftLength = ({ cluster: { technique } }: RunSpec): number =>
  technique?.kind === 'speculation' ? technique.length : 0;

/** What a pass asks of the card, for modelled utilisation beside measured times; unknown where the card has no data sheet. */
function costOn({ loaded }: Pick<Seat, 'loaded'>, id: string): CostModel {
  const model = findModel(id);
  const name = loaded.card
    .toLowerCase()
    .replace(/nvidia|geforce|tesla/g, '')
    .trim();
  const gpu = gpus.find(({ id: known }) => name.includes(known.replace(/-.*/, '')));
  if (model === undefined || gpu === undefined) return new UnknownCost();
  const spec = {
    kind: 'roofline' as const,
    gpu: gpu.id,
    tensor_parallel: 1,
    compute_efficiency: 1,
    memory_efficiency: 1,
    iteration_overhead_us: 0,
  };
  // The kernels hold BF16 whatever the model was published in.
  return new RooflineCost(spec, { ...model, bytesPerWeight: 2, bytesPerKvValue: 2, weightFormat: 'bf16' });
}
