import { InputError } from '../run/inputError.ts';

/** Reading of foreign JSON: every helper says what it found where; absent and null are the same. */
export type Json = Readonly<Record<string, unknown>>;

export const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The members of an object; none of anything else. */
export const membersOf = (value: unknown): Json => (isObject(value) ? value : {});

export const numberOr = (value: unknown): number | undefined =>
  typeof value === 'number' && Number.isFinite(value) ? value : undefined;

export const textOr = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined;

/** The numbers of an object's members, one level deep. */
export function figuresOf(value: Json, keep: (name: string) => boolean): Record<string, number> {
  const figures: Record<string, number> = {};
  for (const [name, item] of Object.entries(value)) {
    const number = numberOr(item);
    if (number !== undefined && keep(name)) figures[name] = number;
  }
  return figures;
}

export function settingsOf(value: Json, names: readonly string[]): Record<string, string | number> {
  const settings: Record<string, string | number> = {};
  for (const name of names) {
    const item = value[name];
    if (typeof item === 'string' || (typeof item === 'number' && Number.isFinite(item)))
      settings[name] = item;
  }
  return settings;
}

/** A list of numbers, or undefined where the member is absent. InputError where it is neither. */
export function numbersAt(
  file: string,
  value: Json,
  name: string,
): readonly (number | undefined)[] | undefined {
  const list = listAt(file, value, name);
  return list?.map((item, i) => {
    if (item === null) return undefined;
    if (typeof item === 'number') return Number.isFinite(item) ? item : undefined;
    throw new InputError(`${file}: ${name}[${i}] is ${shown(item)}, expected a number`);
  });
}

export function listAt(file: string, value: Json, name: string): readonly unknown[] | undefined {
  const list = value[name];
  if (list === undefined || list === null) return undefined;
  if (Array.isArray(list)) return list;
  throw new InputError(`${file}: ${name} is ${shown(list)}, expected a list`);
}

/** A found value in a message: short, whatever it is. */
export function shown(value: unknown): string {
  const text = typeof value === 'string' ? `"${value}"` : (JSON.stringify(value) ?? String(value));
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

/** Leaves out what is undefined, for exactOptionalPropertyTypes. */
export function defined<T extends object>(value: { readonly [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined)) as T;
}
