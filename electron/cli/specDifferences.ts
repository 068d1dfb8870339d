import type { Comparison } from '../contract/protocol.ts';
import { textTable } from './textTable.ts';

/** Where the two specs of a comparison differ, as lines. */
export function differences({ differences: found }: Comparison): string[] {
  if (found.length === 0) return ['The two specs are alike.'];
  const short = (text: string) => (text.length > 40 ? `${text.slice(0, 39)}…` : text);
  return [
    '',
    textTable(
      [{ title: 'differs' }, { title: 'first' }, { title: 'second' }],
      found.slice(0, 40).map(({ path, baseline, optimized }) => [path, short(baseline), short(optimized)]),
    ),
    ...(found.length > 40 ? [`… and ${found.length - 40} more (--json shows all)`] : []),
  ];
}
