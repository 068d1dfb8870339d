/**
 * A command as a person would type it, for the copy button. Only for reading: Dyno itself starts tools from argument
 * lists and never builds a shell line.
 */
export const printable = (
  argv: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): string =>
  [
    ...Object.entries(environment).map(([name, value]) => `${name}=${quoted(value)}`),
    ...argv.map(quoted),
  ].join(' ');

const quoted = (word: string): string =>
  /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
