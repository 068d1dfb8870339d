import { InputError } from '../run/inputError.ts';

/** Reads fields of an untrusted `config.json`: each is checked, and named with its place where it is wrong. Throws InputError. */
export class ConfigFields {
  readonly name: string;
  private readonly layers: readonly Readonly<Record<string, unknown>>[];

  /** Fields of the first object that has them. `name`: the file, for messages. */
  constructor(name: string, ...layers: readonly Readonly<Record<string, unknown>>[]) {
    this.name = name;
    this.layers = layers;
  }

  /** The value of the first of these fields that is there; null counts as absent. */
  value(...ids: readonly string[]): unknown {
    for (const id of ids) {
      for (const layer of this.layers) {
        if (Object.hasOwn(layer, id) && layer[id] !== null && layer[id] !== undefined) return layer[id];
      }
    }
    return undefined;
  }

  /** Present though null: `sliding_window: null` says that there is none. */
  has(id: string): boolean {
    return this.layers.some((layer) => Object.hasOwn(layer, id));
  }

  fail(id: string, found: unknown, expected: string): never {
    throw new InputError(`${this.name}: ${id}: ${shownValue(found)}, expected ${expected}`);
  }

  /** A whole number in its range; undefined where absent. */
  optionalWhole(ids: readonly string[], low: number, high: number): number | undefined {
    const value = this.value(...ids);
    if (value === undefined) return undefined;
    if (typeof value !== 'number' || !Number.isInteger(value) || value < low || value > high) {
      this.fail(
        ids.find((id) => this.value(id) !== undefined) ?? '',
        value,
        `a whole number, ${low} .. ${high}`,
      );
    }
    return value;
  }

  whole(ids: readonly string[], low: number, high: number): number {
    const value = this.optionalWhole(ids, low, high);
    if (value === undefined) {
      throw new InputError(
        `${this.name}: ${ids.join(' or ')}: absent, expected a whole number, ${low} .. ${high}`,
      );
    }
    return value;
  }

  optionalNumber(ids: readonly string[], low: number, high: number): number | undefined {
    const value = this.value(...ids);
    if (value === undefined) return undefined;
    if (typeof value !== 'number' || !(value >= low && value <= high)) {
      this.fail(ids.find((id) => this.value(id) !== undefined) ?? '', value, `a number, ${low} .. ${high}`);
    }
    return value;
  }

  optionalFlag(id: string): boolean | undefined {
    const value = this.value(id);
    if (value === undefined) return undefined;
    if (typeof value !== 'boolean') this.fail(id, value, 'true or false');
    return value;
  }

  optionalWord(...ids: readonly string[]): string | undefined {
    const value = this.value(...ids);
    if (value === undefined) return undefined;
    if (typeof value !== 'string') this.fail(ids[0] ?? '', value, 'a word');
    return value;
  }

  optionalObject(id: string): Readonly<Record<string, unknown>> | undefined {
    const value = this.value(id);
    if (value === undefined) return undefined;
    if (!isObject(value)) this.fail(id, value, 'an object');
    return value;
  }

  optionalList(id: string): readonly unknown[] | undefined {
    const value = this.value(id);
    if (value === undefined) return undefined;
    if (!Array.isArray(value)) this.fail(id, value, 'a list');
    return value;
  }
}

export const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A value as a message shows it: short, on one line. */
export function shownValue(value: unknown): string {
  if (value === undefined) return 'absent';
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === 'object' && value !== null) return 'an object';
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}
