import type { SampleSeries } from '../state/sampleSeries.ts';

/** The layers of a time chart, from back to front. Series are functions, called at each drawing: they appear and grow during a run. */
export type Layer = LineLayer | BandLayer | ThresholdLayer;

interface LayerBase {
  readonly id: string;
  readonly label: string;
  /** Token of its colour. */
  readonly token: string;
  readonly metric: string;
  /** Not in the legend and the tooltip. */
  readonly isQuiet?: boolean;
}

export interface LineLayer extends LayerBase {
  readonly kind: 'line';
  readonly series: () => SampleSeries | undefined;
  /** The pinned baseline behind the run. */
  readonly isFaint?: boolean;
  readonly isDashed?: boolean;
  readonly isFilled?: boolean;
  /** Fractions have an axis of their own at the right. */
  readonly isOnRight?: boolean;
  /** Holds its value until the next sample. */
  readonly isStep?: boolean;
}

export interface BandLayer extends LayerBase {
  readonly kind: 'band';
  readonly lower: () => SampleSeries | undefined;
  readonly upper: () => SampleSeries | undefined;
  readonly opacity: number;
}

export interface ThresholdLayer extends LayerBase {
  readonly kind: 'threshold';
  readonly value: number;
}

/** The line that gives a layer its value: itself, or the upper edge of a band. */
export function seriesOf(layer: Layer): SampleSeries | undefined {
  if (layer.kind === 'line') return layer.series();
  return layer.kind === 'band' ? layer.upper() : undefined;
}
