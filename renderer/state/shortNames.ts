export interface ShortNames {
  /** What tells each name from the others, in their order. */
  readonly labels: readonly string[];
  /** What they all begin with and the labels leave out; empty where they begin differently. */
  readonly prefix: string;
}

/**
 * Names for a narrow column: `h100-sxm-0`, `h100-sxm-1` become `0`, `1` after the prefix `h100-sxm-`. What is still longer than
 * `most` characters keeps its end, where instances have their number: `…tp2-11`.
 */
export function shortNames(names: readonly string[], most: number): ShortNames {
  const prefix = names.every((name) => name.length <= most) ? '' : commonPrefix(names);
  const labels = names.map((name) => {
    const rest = name.slice(prefix.length);
    return rest.length <= most ? rest : `…${rest.slice(-(most - 1))}`;
  });
  return { labels, prefix };
}

/** Up to the last boundary that all names share, so that no word and no number is split. */
function commonPrefix(names: readonly string[]): string {
  const [first = ''] = names;
  if (names.length < 2) return '';
  let length = 0;
  while (length < first.length && names.every((name) => name[length] === first[length])) length += 1;
  const shared = first.slice(0, length);
  return shared.slice(0, Math.max(...['-', '.', '_', ' ', '/'].map((mark) => shared.lastIndexOf(mark))) + 1);
}
