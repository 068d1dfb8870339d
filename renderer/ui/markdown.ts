/**
 * The small part of markdown that lessons are written in, read into blocks. No raw HTML: `<` is a character like any other.
 * Blocks: headings, paragraphs, lists, fenced code, quotes, tables. Inline: `code`, **strong**, *emphasis*, [links](https://…).
 */
export type Inline =
  | { readonly kind: 'text' | 'code' | 'strong' | 'emphasis'; readonly text: string }
  | { readonly kind: 'link'; readonly text: string; readonly href: string };

export type Block =
  | { readonly kind: 'heading'; readonly level: number; readonly inline: readonly Inline[] }
  | { readonly kind: 'paragraph' | 'quote'; readonly inline: readonly Inline[] }
  | { readonly kind: 'list'; readonly ordered: boolean; readonly items: readonly (readonly Inline[])[] }
  | { readonly kind: 'code'; readonly text: string }
  | {
      readonly kind: 'table';
      readonly head: readonly (readonly Inline[])[];
      readonly rows: readonly (readonly (readonly Inline[])[])[];
    };

const inlinePattern = /`([^`]+)`|\*\*([^*]+)\*\*|\*([^*\s][^*]*)\*|\[([^\]]+)\]\((https:\/\/[^)\s]+)\)/g;

export function parseInline(text: string): Inline[] {
  const parts: Inline[] = [];
  let end = 0;
  for (const match of text.matchAll(inlinePattern)) {
    if (match.index > end) parts.push({ kind: 'text', text: text.slice(end, match.index) });
    end = match.index + match[0].length;
    const [, code, strong, emphasis, label, href] = match;
    if (code !== undefined) parts.push({ kind: 'code', text: code });
    else if (strong !== undefined) parts.push({ kind: 'strong', text: strong });
    else if (emphasis !== undefined) parts.push({ kind: 'emphasis', text: emphasis });
    else if (label !== undefined && href !== undefined) parts.push({ kind: 'link', text: label, href });
  }
  if (end < text.length) parts.push({ kind: 'text', text: text.slice(end) });
  return parts;
}

const bullet = /^\s*(?:[-*]|\d+[.)])\s+/;
const isTableRow = (line: string | undefined): line is string => line?.trim().startsWith('|') === true;

export function parseMarkdown(source: string): Block[] {
  const lines = source.split('\n');
  const blocks: Block[] = [];
  let at = 0;
  const takeWhile = (accept: (line: string) => boolean): string[] => {
    const taken: string[] = [];
    while (at < lines.length && accept(lines[at] ?? '')) taken.push(lines[at++] ?? '');
    return taken;
  };
  while (at < lines.length) {
    const line = lines[at] ?? '';
    const heading = /^(#{1,4})\s+(.*)$/.exec(line);
    if (line.trim() === '') at += 1;
    else if (heading !== null) {
      at += 1;
      blocks.push({ kind: 'heading', level: heading[1]?.length ?? 1, inline: parseInline(heading[2] ?? '') });
    } else if (line.startsWith('```')) {
      at += 1;
      blocks.push({ kind: 'code', text: takeWhile((next) => !next.startsWith('```')).join('\n') });
      at += 1;
    } else if (line.startsWith('>')) {
      const text = takeWhile((next) => next.startsWith('>')).map((next) => next.replace(/^>\s?/, ''));
      blocks.push({ kind: 'quote', inline: parseInline(text.join(' ')) });
    } else if (isTableRow(line)) blocks.push(parseTable(takeWhile(isTableRow)));
    else if (bullet.test(line))
      blocks.push(parseList(takeWhile((next) => bullet.test(next) || /^\s+\S/.test(next))));
    else {
      const text = takeWhile(
        (next) =>
          next.trim() !== '' && !/^(#{1,4}\s|```|>)/.test(next) && !bullet.test(next) && !isTableRow(next),
      );
      blocks.push({ kind: 'paragraph', inline: parseInline(text.map((next) => next.trim()).join(' ')) });
    }
  }
  return blocks;
}

function parseList(lines: readonly string[]): Block {
  const items: string[] = [];
  for (const line of lines) {
    if (bullet.test(line)) items.push(line.replace(bullet, ''));
    else items.push(`${items.pop() ?? ''} ${line.trim()}`);
  }
  return { kind: 'list', ordered: /^\s*\d/.test(lines[0] ?? ''), items: items.map(parseInline) };
}

function parseTable(lines: readonly string[]): Block {
  const cells = (line: string) =>
    line
      .trim()
      .replace(/^\||\|$/g, '')
      .split('|')
      .map((cell) => parseInline(cell.trim()));
  const [head, ...rest] = lines;
  return {
    kind: 'table',
    head: cells(head ?? ''),
    rows: rest.filter((line) => !/^[|\s:-]+$/.test(line)).map(cells),
  };
}
