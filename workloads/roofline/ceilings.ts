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
 * What the native addon's ceilings run hands over. Kept with the card's identity and the conditions, since a changed
 * clock, cap or driver makes another ceiling.
 */
export interface MeasuredCeilings {
  readonly schema: 1;
  readonly card: string;
  readonly uuid: string;
  readonly driver: string;
  /** ISO date and time. */
  readonly measured: string;
  readonly conditions: {
    readonly smClockMhz: number;
    readonly memoryClockMhz: number;
    readonly powerCapW: number;
    readonly temperatureC: number;
    /** NVML's reasons during the run; empty = none. */
    readonly throttled: readonly string[];
    readonly ecc: boolean;
    /** Zeros run faster than random values: less switching, higher clocks. */
    readonly data: 'random_normal' | 'zeros';
  };
  readonly memory: readonly {
    readonly level: MemoryLevel;
    /** `read`, `write`, `copy`, `triad`: the best of them is the level's roof. */
    readonly variant: string;
    readonly bytesPerSec: BytesPerSec;
    readonly samples: number;
  }[];
  readonly compute: readonly {
    readonly precision: Precision;
    /** `8192x8192x8192`, `fma chain` … */
    readonly variant: string;
    readonly flopPerSec: FlopPerSec;
    readonly samples: number;
  }[];
}

/** The best variant of each level and precision. */
export function measuredCeilings(run: MeasuredCeilings): Ceilings {
  const memory: Partial<Record<MemoryLevel, Ceiling<BytesPerSec>>> = {};
  const compute: Partial<Record<Precision, Ceiling<FlopPerSec>>> = {};
  const where = `${run.conditions.smClockMhz} MHz, ${run.conditions.powerCapW} W, ${run.measured}`;
  for (const one of run.memory) {
    if (one.bytesPerSec > (memory[one.level]?.value ?? 0)) {
      const source = `${one.variant}, median of ${one.samples}, ${where}`;
      memory[one.level] = { value: one.bytesPerSec, basis: 'measured', source };
    }
  }
  for (const one of run.compute) {
    if (one.flopPerSec > (compute[one.precision]?.value ?? 0)) {
      const source = `${one.variant}, median of ${one.samples}, ${where}`;
      compute[one.precision] = { value: one.flopPerSec, basis: 'measured', source };
    }
  }
  return { card: run.card, memory, compute, absent: [] };
}

/** The first list's ceilings, and the second's where the first has none: measured over the data sheet. */
export function preferring(first: Ceilings, otherwise: Ceilings): Ceilings {
  return {
    card: first.card,
    memory: { ...otherwise.memory, ...first.memory },
    compute: { ...otherwise.compute, ...first.compute },
    absent: otherwise.absent.filter((line) => {
      const [what = ''] = line.split(':');
      const key = what.toLowerCase();
      return !(key in first.memory) && !(key in first.compute);
    }),
  };
}
