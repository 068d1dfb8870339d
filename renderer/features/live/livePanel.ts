import type { ComponentType } from 'react';
import type { RunKindId } from '../../../electron/contract/runKind.ts';
import type { ClusterMark } from '../../charts/clusterMarks.ts';
import type { RunDetail } from '../../state/runDetails.ts';
import type { TimeRange } from '../../state/timeRange.ts';

/** The kind of the run, and the sources that sampled something so far. */
export interface LiveSources {
  readonly kind: RunKindId;
  /** `pool:prefill`, `pool:decode`, `pool:mixed` */
  readonly pools: readonly string[];
  /** `instance:0` … */
  readonly instances: readonly string[];
  /** `gpu:0` … */
  readonly gpus: readonly string[];
  /** `variant:baseline` …, of a run that measures kernels. */
  readonly variants: readonly string[];
}

/** Properties that all charts of one time axis share: range, redraw events and marks. */
export interface SharedAxis {
  readonly isSimulated: boolean;
  readonly whole: () => TimeRange;
  readonly subscribe: (changed: () => void) => () => void;
  readonly marks: () => readonly ClusterMark[];
}

export interface LivePanelProps {
  readonly title: string;
  readonly sources: LiveSources;
  readonly axis: SharedAxis;
  readonly variant: string;
  readonly baselineVariant: string;
  readonly engine: string;
  readonly isLog: boolean;
  readonly detail: RunDetail | undefined;
}

/** A panel of the live view: one file that exports one of these, and one line in `livePanels.ts`. */
export interface LivePanel {
  readonly id: string;
  readonly title: string;
  /** Whether the run on screen has anything for it to draw. */
  readonly hasData: (sources: LiveSources) => boolean;
  readonly Component: ComponentType<LivePanelProps>;
}

/** The name of an instance by its source `instance:N`; its number where the manifest is not read yet. */
export const instanceName = (detail: RunDetail | undefined, number: number): string =>
  detail?.instances[number]?.name ?? `#${number}`;
