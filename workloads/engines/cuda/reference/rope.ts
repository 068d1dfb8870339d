import type { TransformerShape } from '../device.ts';

/** Angles per position of each pair of a head's elements, and the factor on cos and sin. */
export interface Rotary {
  /** headDim ÷ 2 of them, radians per position. */
  readonly frequencies: Float64Array;
  readonly scale: number;
}

/** RoPE with its published scalings: transformers' `modeling_rope_utils.py`. */
export function rotaryFrequencies(shape: Pick<TransformerShape, 'headDim' | 'rope'>): Rotary {
  const { headDim, rope } = shape;
  const half = headDim / 2;
  const plain = Float64Array.from({ length: half }, (_, i) => rope.theta ** ((-2 * i) / headDim));
  const { scaling } = rope;
  switch (scaling?.kind) {
    case undefined:
      return { frequencies: plain, scale: 1 };
    case 'linear':
      return { frequencies: plain.map((f) => f / scaling.factor), scale: 1 };
    case 'llama3': {
      const { factor, lowFreqFactor, highFreqFactor, originalMaxPositions } = scaling;
      // Long waves are slowed by the factor, short ones stay, those between are blended.
      const frequencies = plain.map((f) => {
        const wave = (2 * Math.PI) / f;
        if (wave < originalMaxPositions / highFreqFactor) return f;
        if (wave > originalMaxPositions / lowFreqFactor) return f / factor;
        const smooth = (originalMaxPositions / wave - lowFreqFactor) / (highFreqFactor - lowFreqFactor);
        return ((1 - smooth) * f) / factor + smooth * f;
      });
      return { frequencies, scale: 1 };
    }
    case 'yarn': {
      const { factor, betaFast, betaSlow, originalMaxPositions } = scaling;
      const dimOf = (rotations: number): number =>
        (headDim * Math.log(originalMaxPositions / (rotations * 2 * Math.PI))) / (2 * Math.log(rope.theta));
      const low = Math.max(Math.floor(dimOf(betaFast)), 0);
      const high = Math.min(Math.ceil(dimOf(betaSlow)), headDim - 1);
      const width = high === low ? 0.001 : high - low;
      const frequencies = plain.map((f, i) => {
        const interpolated = Math.min(1, Math.max(0, (i - low) / width));
        return (f / factor) * interpolated + f * (1 - interpolated);
      });
      return { frequencies, scale: scaling.attentionFactor ?? 0.1 * Math.log(factor) + 1 };
    }
    default: {
      const never: never = scaling;
      return never;
    }
  }
}
