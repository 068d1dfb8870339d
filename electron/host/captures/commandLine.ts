import { shellWord } from '../../../workloads/run/shellWord.ts';

/**
 * A command as a person would type it, for the copy button. Only for reading: Dyno itself starts tools from argument
 * lists and never builds a shell line.
 */
export const printable = (
  argv: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): string =>
  [
    ...Object.entries(environment).map(([name, value]) => `${name}=${shellWord(value)}`),
    ...argv.map(shellWord),
  ].join(' ');
