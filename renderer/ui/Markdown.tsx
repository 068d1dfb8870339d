import { Fragment, type ReactNode } from 'react';
import styles from './Markdown.module.css';
import { type Block, type Inline, parseMarkdown } from './markdown.ts';

export function Markdown({ source }: { readonly source: string }) {
  return (
    <div className={`${styles.text} selectable`}>
      {parseMarkdown(source).map((block, index) => (
        <Fragment key={index}>{blockOf(block)}</Fragment>
      ))}
    </div>
  );
}

function inlineOf(parts: readonly Inline[]): ReactNode {
  return parts.map((part, index) => {
    switch (part.kind) {
      case 'text':
        return part.text;
      case 'code':
        return <code key={index}>{part.text}</code>;
      case 'strong':
        return <strong key={index}>{part.text}</strong>;
      case 'emphasis':
        return <em key={index}>{part.text}</em>;
      case 'link':
        return (
          <a key={index} href={part.href} target="_blank" rel="noreferrer">
            {part.text}
          </a>
        );
      default:
        return part satisfies never;
    }
  });
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
      const items = block.items.map((item, index) => <li key={index}>{inlineOf(item)}</li>);
      return block.ordered ? <ol>{items}</ol> : <ul>{items}</ul>;
    }
    case 'table':
      return (
        <table>
          <thead>
            <tr>
              {block.head.map((cell, index) => (
                <th key={index}>{inlineOf(cell)}</th>
              ))}
            </tr>
          </thead>
          <tbody>
            {block.rows.map((row, index) => (
              <tr key={index}>
                {row.map((cell, column) => (
                  <td key={column}>{inlineOf(cell)}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      );
    default:
      return block satisfies never;
  }
}
