import { createElement, Fragment, type ReactNode } from 'react';
import styles from './Markdown.module.css';
import { type Block, type Inline, parseMarkdown } from './markdown.ts';

export function Markdown({ source }: { readonly source: string }) {
  return <div className={`${styles.text} selectable`}>{sequence(parseMarkdown(source).map(blockOf))}</div>;
}

/** Nodes in their place for good: no keys are needed. */
const sequence = (nodes: readonly ReactNode[]) => createElement(Fragment, null, ...nodes);

const inlineOf = (parts: readonly Inline[]) => sequence(parts.map(partOf));

function partOf(part: Inline): ReactNode {
  switch (part.kind) {
    case 'text':
      return part.text;
    case 'code':
      return <code>{part.text}</code>;
    case 'strong':
      return <strong>{part.text}</strong>;
    case 'emphasis':
      return <em>{part.text}</em>;
    case 'link':
      return (
        <a href={part.href} target="_blank" rel="noreferrer">
          {part.text}
        </a>
      );
    default:
      return part satisfies never;
  }
}

function blockOf(block: Block): ReactNode {
  switch (block.kind) {
    case 'heading':
      return block.level <= 2 ? <h2>{inlineOf(block.inline)}</h2> : <h3>{inlineOf(block.inline)}</h3>;
    case 'paragraph':
      return <p>{inlineOf(block.inline)}</p>;
    case 'quote':
      return <blockquote>{inlineOf(block.inline)}</blockquote>;
    case 'code':
      return <pre>{block.text}</pre>;
    case 'list': {
      const items = sequence(block.items.map((item) => createElement('li', null, inlineOf(item))));
      return block.ordered ? <ol>{items}</ol> : <ul>{items}</ul>;
    }
    case 'table':
      return (
        <table>
          <thead>
            <tr>{sequence(block.head.map((cell) => createElement('th', null, inlineOf(cell))))}</tr>
          </thead>
          <tbody>
            {sequence(
              block.rows.map((row) =>
                createElement('tr', null, ...row.map((cell) => createElement('td', null, inlineOf(cell)))),
              ),
            )}
          </tbody>
        </table>
      );
    default:
      return block satisfies never;
  }
}
