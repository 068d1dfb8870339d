import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { SingleBar } from 'cli-progress';
import { nativeFolder } from '../../native/index.ts';
import { measureGap, measurePass, passOf } from '../../workloads/engines/cuda/calibration/measurePoint.ts';
import { operatorTablesOf, type TimedPoint } from '../../workloads/engines/cuda/calibration/operatorFiles.ts';
import {
  pointKey,
  type TablePoint,
  tablePoints,
} from '../../workloads/engines/cuda/calibration/tablePoints.ts';
import { shapeForKernels } from '../../workloads/engines/cuda/checkGpuSpec.ts';
import type { DeviceAnswer, DeviceInstance, DevicePool } from '../../workloads/engines/cuda/device.ts';
import type { GpuHost, LoadedModel } from '../../workloads/engines/cuda/gpuHost.ts';
import { InputError } from '../../workloads/run/inputError.ts';
import type { GpuInstance } from '../../workloads/run/instanceSpec.ts';
import { gpuHost } from '../shared/gpuHost.ts';
import { fileReason } from '../shared/openFile.ts';

const pointsFile = 'points.csv';
const metaFile = 'meta.json';
const header = 'chunk,before,sequences,context,time_us';
const blockTokens = 16;

export interface GpuCalibration {
  readonly folder: string;
  readonly model: string;
  readonly device: number;
  readonly weights: GpuInstance['weights'];
  readonly precision: 'bf16' | 'fp8';
  readonly maxSequences: number;
  readonly maxBatchedTokens: number;
}

export interface GpuCalibrated {
  readonly card: string;
  readonly points: number;
  readonly measuredNow: number;
  readonly interrupted: boolean;
  /** For an instance's cost in a run spec. */
  readonly cost: {
    readonly kind: 'operators';
    readonly path: string;
    readonly iteration_overhead_us: number;
    readonly graph_tokens: 0;
    readonly skew: 0;
  };
}

/**
 * Measures passes of a model on a card and writes operator tables of them. Each point is written down as it is measured: a run that
 * was stopped goes on where it was. Throws InputError, RunFailure.
 */
export async function calibrateOnGpu(
  calibration: GpuCalibration,
  signal: AbortSignal,
): Promise<GpuCalibrated> {
  const folder = resolve(calibration.folder);
  const shape = shapeForKernels(calibration.model);
  const known = openFolder(folder, calibration);
  const host = gpuHost(nativeFolder(import.meta.url));
  const loaded = await host.load({ ...calibration, shape, progress: () => undefined });
  try {
    const { pool, instance, limits } = await seat(host, loaded, calibration);
    try {
      const points = tablePoints(limits);
      const missing = points.filter((point) => !known.has(pointKey(point)));
      await measureAll(host, instance, missing, shape.vocab, folder, known, signal);
      const gapNs = answered(
        host,
        await measureGap(instance, passOf(gapPoint(limits), blockTokens, shape.vocab)),
      );
      const timed: TimedPoint[] = points.flatMap((point) => {
        const us = known.get(pointKey(point));
        return us === undefined ? [] : [{ ...point, us }];
      });
      const overheadUs = Math.round(gapNs / 10) / 100;
      if (!signal.aborted) {
        for (const [name, text] of Object.entries(operatorTablesOf(timed, shape)))
          writeFileSync(join(folder, name), text);
        writeMeta(folder, {
          ...described(calibration),
          card: loaded.card,
          iteration_overhead_us: overheadUs,
        });
      }
      return {
        card: loaded.card,
        points: timed.length,
        measuredNow: missing.length,
        interrupted: signal.aborted,
        cost: {
          kind: 'operators',
          path: folder,
          iteration_overhead_us: overheadUs,
          graph_tokens: 0,
          skew: 0,
        },
      };
    } finally {
      await instance.close();
      pool.free();
    }
  } finally {
    await loaded.model.close();
  }
}

/** A usual decode pass: the time from its end to the start of the next one is the engine's overhead per pass. */
const gapPoint = ({ maxSequences, maxContext }: Parameters<typeof tablePoints>[0]): TablePoint => ({
  chunk: 0,
  before: 0,
  sequences: Math.min(8, maxSequences),
  context: Math.min(512, maxContext),
});

function answered<T>(host: GpuHost, answer: DeviceAnswer<T>): T {
  if (answer.ok) return answer.value;
  throw host.refusal(answer.error);
}

async function seat(
  host: GpuHost,
  { model, shape }: LoadedModel,
  { maxSequences, maxBatchedTokens }: GpuCalibration,
): Promise<{
  readonly pool: DevicePool;
  readonly instance: DeviceInstance;
  readonly limits: Parameters<typeof tablePoints>[0];
}> {
  const { freeBytes } = answered(host, model.memory());
  const room = freeBytes * 0.9 - 4e9;
  const blocks = Math.min(80_000, Math.floor(room / (model.info.kvBytesPerToken * blockTokens)));
  if (blocks < 64) {
    throw new InputError(
      `--model: ${(freeBytes / 1e9).toFixed(1)} GB are free beside its weights, too little for KV`,
    );
  }
  const maxContext = Math.min(shape.maxPositions, 32_768 + 16);
  const pool = answered(host, model.kvPool({ blocks, blockTokens }));
  const made = model.instance({ pool, maxSequences, maxTokens: maxBatchedTokens, maxContext });
  if (!made.ok) pool.free();
  const instance = answered(host, made);
  answered(host, await instance.warm(maxSequences));
  return {
    pool,
    instance,
    limits: { maxTokens: maxBatchedTokens, maxSequences, maxContext, poolTokens: blocks * blockTokens },
  };
}

async function measureAll(
  host: GpuHost,
  instance: DeviceInstance,
  points: readonly TablePoint[],
  vocabulary: number,
  folder: string,
  known: Map<string, number>,
  signal: AbortSignal,
): Promise<void> {
  const bar = process.stderr.isTTY
    ? new SingleBar({
        stream: process.stderr,
        format: 'calibrate {bar} {value}/{total} passes · ETA {eta} s',
        clearOnComplete: true,
        hideCursor: true,
      })
    : undefined;
  bar?.start(points.length, 0);
  try {
    for (const [i, point] of points.entries()) {
      if (signal.aborted) return;
      const { medianNs } = answered(
        host,
        await measurePass(instance, passOf(point, blockTokens, vocabulary)),
      );
      known.set(pointKey(point), medianNs / 1e3);
      appendFileSync(join(folder, pointsFile), `${pointKey(point)},${(medianNs / 1e3).toFixed(3)}\n`);
      bar?.update(i + 1);
    }
  } finally {
    bar?.stop();
  }
}

const described = ({
  model,
  device,
  weights,
  precision,
  maxSequences,
  maxBatchedTokens,
}: GpuCalibration) => ({
  model,
  device,
  weights,
  precision,
  max_sequences: maxSequences,
  max_batched_tokens: maxBatchedTokens,
});

const writeMeta = (folder: string, meta: object): void =>
  writeFileSync(join(folder, metaFile), `${JSON.stringify(meta, null, 2)}\n`);

/** Points that were measured before into this folder; it must be of the same model. */
function openFolder(folder: string, calibration: GpuCalibration): Map<string, number> {
  const known = new Map<string, number>();
  try {
    mkdirSync(folder, { recursive: true });
    const meta = join(folder, metaFile);
    const own = described(calibration);
    if (existsSync(meta)) {
      const before: unknown = JSON.parse(readFileSync(meta, 'utf8'));
      for (const [key, value] of Object.entries(own)) {
        const other = typeof before === 'object' && before !== null ? Reflect.get(before, key) : undefined;
        if (JSON.stringify(other) !== JSON.stringify(value)) {
          throw new InputError(
            `${meta}: ${key} ${JSON.stringify(other)}, expected ${JSON.stringify(value)}; name another --out folder`,
          );
        }
      }
    } else writeMeta(folder, own);
    const points = join(folder, pointsFile);
    if (!existsSync(points)) writeFileSync(points, `${header}\n`);
    readFileSync(points, 'utf8')
      .split('\n')
      .slice(1)
      .forEach((line, i) => {
        // A run that was killed may have left half a line at the end.
        const fields = line.split(',');
        const us = Number(fields[4]);
        if (line === '' || fields.length < 5) return;
        if (fields.length !== 5 || !(us > 0))
          throw new InputError(`${points}:${i + 2}: "${line.slice(0, 60)}", expected ${header}`);
        known.set(fields.slice(0, 4).join(','), us);
      });
  } catch (thrown) {
    if (thrown instanceof InputError) throw thrown;
    throw new InputError(`--out ${folder}: ${fileReason(thrown)}`);
  }
  return known;
}
