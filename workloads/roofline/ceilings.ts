import type { Gpu } from '../hardware/gpus.ts';
import type { BytesPerSec, FlopPerSec } from '../units.ts';
import { type Precision, precisions } from './precision.ts';

/**
 * What a card can do, per memory level and per precision.
 *
 * | basis            | what it is                                             | drawn  |
 * |------------------|--------------------------------------------------------|--------|
 * | `measured`       | reached by a ceiling kernel on this very card          | solid  |
 * | `observed_clock` | the hardware's peak per cycle × the clock of a capture  | dashed |
 * | `data_sheet`     | the vendor's figure at boost clock                      | dotted |
 */
export type CeilingBasis = 'measured' | 'observed_clock' | 'data_sheet';

/** `l1` is the L1 cache and shared memory: one memory, one port of 128 B per cycle and SM. */
export type MemoryLevel = 'hbm' | 'l2' | 'l1';
export const memoryLevels: readonly MemoryLevel[] = ['hbm', 'l2', 'l1'];

export const levelLabel: Readonly<Record<MemoryLevel, string>> = { hbm: 'HBM', l2: 'L2', l1: 'L1 / shared' };

export interface Ceiling<Unit extends number> {
  readonly value: Unit;
  readonly basis: CeilingBasis;
  /** Where the figure comes from: a data sheet, or a kernel variant and its conditions. */
  readonly source: string;
}

export interface Ceilings {
  /** The card, for people. */
  readonly card: string;
  readonly memory: Readonly<Partial<Record<MemoryLevel, Ceiling<BytesPerSec>>>>;
  readonly compute: Readonly<Partial<Record<Precision, Ceiling<FlopPerSec>>>>;
  /** Levels and precisions without a ceiling, and why. */
  readonly absent: readonly string[];
}

/**
 * FP32 FMA lanes per SM; only A100's SM has 64 among the cards listed. The boost clock follows from the FP32 peak:
 * peak = 2 × lanes × SMs × clock.
 */
const fp32Lanes = (gpu: Gpu): number => (gpu.id.startsWith('a100') ? 64 : 128);

/** Bytes per cycle and SM that L1 and shared memory deliver (Volta and later). */
const l1BytesPerCycle = 128;

/**
 * The data sheet as ceilings. L1 is 128 B/clk/SM at the boost clock that the FP32 peak implies
 * (H100: 66.9e12 / (2·128·132) = 1.98 GHz → 33.5 TB/s). L2 has no official figure and is left to measurement.
 */
export function dataSheetCeilings(gpu: Gpu): Ceilings {
  const basis = 'data_sheet';
  const compute: Partial<Record<Precision, Ceiling<FlopPerSec>>> = {};
  const absent = ['L2: vendors publish no bandwidth; measure it'];
  for (const precision of precisions) {
    // Tensor cores run FP16 at the rate of BF16. FP64 is not on the cards' list.
    const peak = precision === 'fp64' ? undefined : gpu.peak[precision === 'fp16' ? 'bf16' : precision];
    if (peak !== undefined) compute[precision] = { value: peak, basis, source: gpu.source };
    else if (precision !== 'fp64') absent.push(`${precision}: ${gpu.label} has no such tensor cores`);
  }
  const l1 = (gpu.peak.fp32 / (2 * fp32Lanes(gpu))) * l1BytesPerCycle;
  return {
    card: gpu.label,
    memory: {
      hbm: { value: gpu.memoryBandwidth, basis, source: gpu.source },
      l1: { value: l1, basis, source: `128 B per cycle and SM at the boost clock of ${gpu.source}` },
    },
    compute,
    absent,
  };
}

/**
 * What the native addon's ceilings run hands over (`measureCeilings`), as far as a roof needs it. It belongs to one card at
 * one set of clocks and one driver; a change of these makes another ceiling.
 */
export interface MeasuredCeilings {
  /** The card's name. */
  readonly name: string;
  readonly cudaDriver: string;
  readonly ceilings: readonly {
    /** `hbmRead`, `gemm:bf16` … */
    readonly id: string;
    /** Median of the repetitions. */
    readonly value: number;
    readonly unit: string;
    readonly repetitions: number;
    readonly definition: string;
  }[];
  /** What could not be measured, and why. */
  readonly waived: readonly { readonly id: string; readonly reason: string }[];
}

/** Which measurement is a roof of which level; the best of them counts. Link and launch figures are no roofs here. */
const levelOfMeasurement: Readonly<Record<string, MemoryLevel>> = {
  deviceCopy: 'hbm',
  hbmRead: 'hbm',
  hbmCopy: 'hbm',
  l2Read: 'l2',
  sharedRead: 'l1',
};

export function measuredCeilings(run: MeasuredCeilings): Ceilings {
  const memory: Partial<Record<MemoryLevel, Ceiling<BytesPerSec>>> = {};
  const compute: Partial<Record<Precision, Ceiling<FlopPerSec>>> = {};
  for (const one of run.ceilings) {
    const ceiling = {
      value: one.value,
      basis: 'measured' as const,
      source: `${one.definition} Median of ${one.repetitions}, CUDA driver ${run.cudaDriver}.`,
    };
    const level = levelOfMeasurement[one.id];
    const precision = precisions.find((name) => one.id === `gemm:${name}`);
    if (level !== undefined && one.value > (memory[level]?.value ?? 0)) memory[level] = ceiling;
    if (precision !== undefined && one.value > (compute[precision]?.value ?? 0)) compute[precision] = ceiling;
  }
  return {
    card: run.name,
    memory,
    compute,
    // Collectives are no roof of a kernel: that they could not be measured is no gap here.
    absent: run.waived
      .filter(({ id }) => !id.startsWith('nccl:'))
      .map(({ id, reason }) => `${id}: ${reason}`),
  };
}

/** The first list's ceilings, and the second's where the first has none: measured over the data sheet. */
export function preferring(first: Ceilings, otherwise: Ceilings): Ceilings {
  return {
    card: first.card,
    memory: { ...otherwise.memory, ...first.memory },
    compute: { ...otherwise.compute, ...first.compute },
    absent: [
      ...first.absent,
      ...otherwise.absent.filter((line) => {
        const key = (line.split(':')[0] ?? '').toLowerCase();
        return !(key in first.memory) && !(key in first.compute);
      }),
    ],
  };
}
