import type { Target } from '../../catalog/target.ts';
import { expectation, fits, parseValue } from '../../catalog/values.ts';
import { InputError } from '../../run/inputError.ts';
import type { Parameter, ParameterValue } from '../../run/parameter.ts';
import type { AxisSpec } from './sweepSpec.ts';

/** One axis as a search sees it. */
export interface Axis {
  readonly parameter: string;
  /** The values that a grid takes; absent for a range without steps. */
  readonly grid?: readonly ParameterValue[];
  /** The values have no order: a search does not interpolate between them. */
  readonly isCategorical: boolean;
  /** The value at `at`, 0 .. 1. Every value of the axis has an equal share of it. */
  valueAt(at: number): ParameterValue;
  /** Where a value stands, 0 .. 1. */
  positionOf(value: ParameterValue): number;
}

/** The pseudo-parameters that a sweep may vary besides the target's own. */
const variantParameter = (target: Target): Parameter => ({
  kind: 'choice',
  id: 'variant',
  label: 'Variant',
  group: 'policy',
  help: 'Which variant of the target.',
  choices: target.variants.map(({ id, label }) => ({ id, label })),
  default: target.variants[0]?.id ?? '',
});

const traceSpeedup: Parameter = {
  kind: 'number',
  id: 'speedup',
  label: 'Trace speed-up',
  group: 'traffic',
  unit: '×',
  min: 0.001,
  max: 10_000,
  log: true,
  default: 1,
  help: 'Divides every gap of the trace.',
};

/** What can be swept of a target, by the name that an axis gives. */
export function sweepable(target: Target, hasTrace: boolean): readonly Parameter[] {
  const own = target.parameters.filter((p) => !(hasTrace && p.id === 'speedup'));
  return [variantParameter(target), ...(hasTrace ? [traceSpeedup] : []), ...own];
}

/** Four digits in a value are enough for a person to read, and two ways to the same point meet. */
const tidy = (value: number): number => Number(value.toPrecision(4));

/** Checks an axis against the target and makes it searchable. Throws InputError with the parameter's range. */
export function axisOf(spec: AxisSpec, target: Target, hasTrace: boolean): Axis {
  const parameters = sweepable(target, hasTrace);
  const parameter = parameters.find(({ id }) => id === spec.parameter);
  if (parameter === undefined) {
    throw new InputError(
      `axis ${spec.parameter}: ${target.id} has no such parameter, expected one of ${parameters.map((p) => p.id).join(', ')}`,
    );
  }
  if ('values' in spec) return listAxis(spec.parameter, spec.values, parameter);
  if (parameter.kind !== 'number' && parameter.kind !== 'integer') {
    throw new InputError(
      `axis ${spec.parameter}: ${spec.min}..${spec.max}, expected ${expectation(parameter)}`,
    );
  }
  const { min, max, steps, log = false } = spec;
  if (!(min < max)) throw new InputError(`axis ${spec.parameter}: ${min}..${max}, expected a rising range`);
  for (const end of [min, max]) {
    if (!fits(parameter, end))
      throw new InputError(`axis ${spec.parameter}: ${end}, expected ${expectation(parameter)}`);
  }
  if (log && min <= 0)
    throw new InputError(`axis ${spec.parameter}: ${min}..${max} on a log scale, expected both ends above 0`);
  const whole = parameter.kind === 'integer';
  const rounded = (value: number): number =>
    Math.min(max, Math.max(min, whole ? Math.round(value) : tidy(value)));
  const between = (at: number): number =>
    log ? min * Math.exp(at * Math.log(max / min)) : min + at * (max - min);
  if (steps !== undefined) {
    const grid = Array.from({ length: steps }, (_, i) => rounded(between(i / (steps - 1))));
    return listAxis(spec.parameter, [...new Set(grid)], parameter);
  }
  return {
    parameter: spec.parameter,
    isCategorical: false,
    valueAt: (at) => rounded(between(at)),
    positionOf: (value) => {
      const n = Number(value);
      return log ? Math.log(n / min) / Math.log(max / min) : (n - min) / (max - min);
    },
  };
}

function listAxis(id: string, values: readonly ParameterValue[], parameter: Parameter): Axis {
  for (const value of values) {
    if (!fits(parameter, value))
      throw new InputError(`axis ${id}: ${JSON.stringify(value)}, expected ${expectation(parameter)}`);
  }
  if (new Set(values).size < values.length) throw new InputError(`axis ${id}: a value is listed twice`);
  const last = values.length - 1;
  return {
    parameter: id,
    grid: values,
    isCategorical: parameter.kind !== 'number' && parameter.kind !== 'integer',
    valueAt: (at) => values[Math.min(last, Math.floor(at * values.length))] ?? values[last] ?? 0,
    positionOf: (value) => (values.indexOf(value) + 0.5) / values.length,
  };
}

/**
 * An axis as it is written on a command line:
 *
 *   max_sequences=64,128,256 · rate_rps=5..80 · rate_rps=5..80:8 · rate_rps=5..80:8:log · variant=baseline,optimized
 *
 * Throws InputError.
 */
export function parseAxis(text: string, target: Target, hasTrace: boolean): AxisSpec {
  const at = text.indexOf('=');
  const expected = 'expected name=a,b,c or name=min..max[:steps][:log]';
  if (at <= 0) throw new InputError(`--over ${text}: ${expected}`);
  const id = text.slice(0, at);
  const right = text.slice(at + 1);
  const parameter = sweepable(target, hasTrace).find((p) => p.id === id);
  if (parameter === undefined) axisOf({ parameter: id, values: [0] }, target, hasTrace);
  const range = /^([^,:]+?)\.\.([^,:]+?)((?::[^:]+)*)$/.exec(right);
  if (range === null) {
    const values = right.split(',').map((word) => {
      if (parameter === undefined || word.trim() === '') throw new InputError(`--over ${text}: ${expected}`);
      return parseValue(parameter, word.trim());
    });
    return { parameter: id, values };
  }
  const [, low = '', high = '', options = ''] = range;
  const min = Number(low);
  const max = Number(high);
  if (!Number.isFinite(min) || !Number.isFinite(max)) throw new InputError(`--over ${text}: ${expected}`);
  let steps: number | undefined;
  let log = false;
  for (const option of options.split(':').filter((word) => word !== '')) {
    if (option === 'log') log = true;
    else if (/^\d+$/.test(option) && Number(option) >= 2) steps = Number(option);
    else throw new InputError(`--over ${text}: "${option}", expected a number of steps (2 or more) or log`);
  }
  return { parameter: id, min, max, ...(steps === undefined ? {} : { steps }), ...(log ? { log } : {}) };
}
