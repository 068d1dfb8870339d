import { InvalidArgumentError } from 'commander';

/** Parsers of option values; commander puts option and value in front of their message. */

export const integer =
  (low: number, high: number) =>
  (text: string): number => {
    const value = Number(text);
    if (!/^[+-]?\d+$/.test(text.trim()) || value < low || value > high)
      throw new InvalidArgumentError(`Expected a whole number, ${low} .. ${high}.`);
    return value;
  };

export const number =
  (low: number, high: number) =>
  (text: string): number => {
    const value = Number(text);
    if (text.trim() === '' || !(value >= low && value <= high))
      throw new InvalidArgumentError(`Expected a number, ${low} .. ${high}.`);
    return value;
  };

export const positive =
  (unit: string) =>
  (text: string): number => {
    const value = Number(text);
    if (text.trim() === '' || !Number.isFinite(value) || value <= 0)
      throw new InvalidArgumentError(`Expected a number above 0${unit === '' ? '' : ` (${unit})`}.`);
    return value;
  };

export const oneOf =
  <T extends string>(...words: readonly T[]) =>
  (text: string): T => {
    const found = words.find((word) => word === text);
    if (found === undefined) throw new InvalidArgumentError(`Expected one of ${words.join(', ')}.`);
    return found;
  };

/** For repeatable options. */
export const collect = (text: string, before: readonly string[] = []): string[] => [...before, text];

export const maxSeed = 0xffffffff;
