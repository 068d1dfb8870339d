import { describe, expect, it } from 'vitest';
import { parseInline, parseMarkdown } from './markdown.ts';

describe('parseInline', () => {
  it('reads code, strength, emphasis and links', () => {
    expect(parseInline('a `b*c` **d** *e* [f](https://g.org/h).')).toEqual([
      { kind: 'text', text: 'a ' },
      { kind: 'code', text: 'b*c' },
      { kind: 'text', text: ' ' },
      { kind: 'strong', text: 'd' },
      { kind: 'text', text: ' ' },
      { kind: 'emphasis', text: 'e' },
      { kind: 'text', text: ' ' },
      { kind: 'link', text: 'f', href: 'https://g.org/h' },
      { kind: 'text', text: '.' },
    ]);
  });

  it('makes no link of a script and no element of a tag', () => {
    const text = '[x](javascript:alert(1)) <img src=x onerror=y>';
    expect(parseInline(text)).toEqual([{ kind: 'text', text }]);
  });
});

describe('parseMarkdown', () => {
  it('reads the blocks', () => {
    const source =
      '# Title\n\nTwo lines\nof text.\n- one\n- two\n  goes on\n\n```\ncode\n```\n> said\n\n| a | b |\n|---|---|\n| 1 | 2 |';
    expect(parseMarkdown(source).map((block) => block.kind)).toEqual([
      'heading',
      'paragraph',
      'list',
      'code',
      'quote',
      'table',
    ]);
  });

  it('ends on an unclosed fence', () => {
    expect(parseMarkdown('```\nabc')).toEqual([{ kind: 'code', text: 'abc' }]);
  });
});
