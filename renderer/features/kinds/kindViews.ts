import type { ComponentType } from 'react';
import type { Comparison, RunInfo } from '../../../electron/contract/protocol.ts';
import type { RunKindId } from '../../../electron/contract/runKind.ts';
import type { Parameter } from '../../../workloads/run/parameter.ts';
import type { AnyTarget } from '../../state/catalogue.ts';
import type { RunDetail } from '../../state/runDetails.ts';
import type { FormValues, TraceChoice } from '../../state/runForm.ts';
import { kernelViews } from './kernelViews.tsx';
import { servingViews } from './servingViews.tsx';

export interface FormTrafficProps {
  readonly target: AnyTarget;
  readonly values: FormValues;
  readonly isValid: boolean;
  readonly onTrace: (trace: TraceChoice | null) => void;
  /** Rows of the parameters that describe generated traffic. */
  readonly rows: readonly React.ReactNode[];
}

export interface LiveFiguresProps {
  readonly run: string;
  /** Absent while the run goes on and its bundle was not read yet. */
  readonly info: RunInfo | undefined;
  readonly isRunning: boolean;
  readonly isSimulated: boolean;
  readonly detail: RunDetail | undefined;
  readonly baseline: RunDetail | undefined;
}

export interface CompareSectionsProps {
  readonly comparison: Comparison;
  readonly baseline: RunInfo;
  readonly optimized: RunInfo;
}

/** The components that the views draw for a kind of run. Facts without a component are in `state/kinds`. */
export interface KindViews {
  /** The row of the form that says how often each variant is measured. */
  readonly rounds: Parameter;
  /** The traffic of the form; draws nothing where no requests are sent. */
  readonly FormTraffic: ComponentType<FormTrafficProps>;
  /** The choices left of the buttons below the form. */
  readonly FooterChoices: ComponentType<{ readonly values: FormValues }>;
  /** Says which time the figures of the live view are of; draws nothing where they are of the whole run. */
  readonly FigureScope: ComponentType<{ readonly scope: string }>;
  /** The figures above the charts of the live view. */
  readonly LiveFigures: ComponentType<LiveFiguresProps>;
  /** Below the verdict of the compare view. */
  readonly CompareSections: ComponentType<CompareSectionsProps>;
  /** Explains in a tooltip how a part of such a run is captured. */
  readonly replayHint: string;
  /** Why Nsight Compute has nothing to count in it; absent where it has. */
  readonly uncountable?: string;
}

/** The registry: what each kind of run looks like. */
export const kindViews: Readonly<Record<RunKindId, KindViews>> = {
  serving: servingViews,
  kernels: kernelViews,
};
