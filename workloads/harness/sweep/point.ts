import type { ParameterValue } from '../../run/parameter.ts';

/** One setting of every axis. */
export type PointValues = Readonly<Record<string, ParameterValue>>;

/** What decides between two points. */
export interface Ranked {
  /** One per objective of the sweep, as the summary gives it; null where the run does not have the figure. */
  readonly objectives: readonly (number | null)[];
  /** How far the constraints are missed, each as a share of its limit, added up; 0 = all are kept. */
  readonly violation: number;
  /** Why the setting could not be run. */
  readonly error?: string;
}

/** A point that was tried. */
export interface SweepPoint extends Ranked {
  /** In the order in which the search asked for it, from 0. */
  readonly index: number;
  readonly values: PointValues;
  /** Every figure of the run's summary, by dotted metric id. */
  readonly figures: Readonly<Record<string, number>>;
  readonly gpus: number;
}

/** The same setting gives the same text. */
export const keyOf = (values: PointValues): string => JSON.stringify(Object.entries(values));
