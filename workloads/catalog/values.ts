import { findModel, isBuiltIn } from '../model/models.ts';
import { InputError } from '../run/inputError.ts';
import type { Parameter, ParameterValue, ParameterValues } from '../run/parameter.ts';

/** The value of a number parameter; throws InputError where it is none. */
export const number = (values: ParameterValues, id: string): number => {
  const value = values[id];
  if (typeof value !== 'number') throw new InputError(`parameter ${id}: missing, expected a number`);
  return value;
};
export const text = (values: ParameterValues, id: string): string => String(values[id]);

const shown = (value: unknown): string => (typeof value === 'string' ? `"${value}"` : String(value));

/** What values a parameter takes, for messages and forms: `0.1 .. 100 ms`, `one of a, b`. */
export function expectation(parameter: Parameter): string {
  switch (parameter.kind) {
    case 'number':
    case 'integer': {
      const unit = parameter.unit === '' ? '' : ` ${parameter.unit}`;
      const kind = parameter.kind === 'integer' ? 'a whole number' : 'a number';
      return `${kind}, ${parameter.min} .. ${parameter.max}${unit}`;
    }
    case 'choice':
      return `one of ${parameter.choices.map((c) => c.id).join(', ')}${parameter.models === true ? '; or --model with a config.json' : ''}`;
    case 'boolean':
      return 'true or false';
    case 'text':
      return parameter.placeholder;
    default: {
      const never: never = parameter;
      return never;
    }
  }
}

export function fits(parameter: Parameter, value: ParameterValue): boolean {
  switch (parameter.kind) {
    case 'number':
      return typeof value === 'number' && value >= parameter.min && value <= parameter.max;
    case 'integer':
      return (
        typeof value === 'number' &&
        Number.isInteger(value) &&
        value >= parameter.min &&
        value <= parameter.max
      );
    case 'choice':
      return (
        typeof value === 'string' &&
        (parameter.choices.some((c) => c.id === value) ||
          (parameter.models === true && !isBuiltIn(value) && findModel(value) !== undefined))
      );
    case 'boolean':
      return typeof value === 'boolean';
    case 'text':
      return typeof value === 'string';
    default: {
      const never: never = parameter;
      return never;
    }
  }
}

/** All of a target's parameters: the given ones, checked, and defaults for the rest. Throws InputError. */
export function completeValues(
  parameters: readonly Parameter[],
  given: Readonly<Record<string, ParameterValue>>,
): ParameterValues {
  const values: Record<string, ParameterValue> = {};
  for (const parameter of parameters) {
    const value = given[parameter.id];
    if (value === undefined) values[parameter.id] = parameter.default;
    else if (fits(parameter, value)) values[parameter.id] = value;
    else {
      throw new InputError(`parameter ${parameter.id}: ${shown(value)}, expected ${expectation(parameter)}`);
    }
  }
  for (const id of Object.keys(given)) {
    if (parameters.some((p) => p.id === id)) continue;
    throw new InputError(
      `parameter ${id}: this target has none of that name, expected one of ${parameters.map((p) => p.id).join(', ')}`,
    );
  }
  return values;
}

/** Reads what was typed on a command line (`--set id=text`) as the parameter's kind. Throws InputError. */
export function parseValue(parameter: Parameter, text: string): ParameterValue {
  const value =
    parameter.kind === 'choice' || parameter.kind === 'text'
      ? text
      : parameter.kind === 'boolean'
        ? text === 'true'
          ? true
          : text === 'false'
            ? false
            : text
        : text.trim() === ''
          ? text
          : Number(text);
  if (fits(parameter, value)) return value;
  throw new InputError(`parameter ${parameter.id}: "${text}", expected ${expectation(parameter)}`);
}
