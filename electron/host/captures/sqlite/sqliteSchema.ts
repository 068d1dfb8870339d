/**
 * Column names out of a CREATE TABLE statement, as `PRAGMA table_info` gives them. Reads what SQLite itself stores in
 * sqlite_schema: one statement, already accepted by SQLite's parser once.
 */
export interface SqliteColumn {
  readonly name: string;
  /** As declared: `INTEGER`, `TEXT` …; empty where none is. */
  readonly type: string;
}

export interface CreateTable {
  readonly columns: readonly SqliteColumn[];
  /** Index of an `INTEGER PRIMARY KEY` column: stored as NULL, its value is the rowid. */
  readonly rowidColumn: number | undefined;
  readonly withoutRowid: boolean;
}

interface Token {
  /** `name`: bare or quoted identifier; `other`: one punctuation character, a string or a number. */
  readonly kind: 'name' | 'other';
  readonly text: string;
  readonly quoted: boolean;
}

const closing: Readonly<Record<string, string>> = { '"': '"', '`': '`', '[': ']' };

function tokens(sql: string): Token[] {
  const out: Token[] = [];
  let at = 0;
  while (at < sql.length) {
    const c = sql.charAt(at);
    if (/\s/.test(c)) at += 1;
    else if (sql.startsWith('--', at)) at = endAt(sql.indexOf('\n', at), sql);
    else if (sql.startsWith('/*', at)) at = endAt(sql.indexOf('*/', at + 2), sql) + 2;
    else if (c in closing || c === "'") {
      const close = closing[c] ?? "'";
      let text = '';
      at += 1;
      while (at < sql.length) {
        if (sql.charAt(at) === close) {
          if (close === ']' || sql.charAt(at + 1) !== close) break;
          at += 1;
        }
        text += sql.charAt(at);
        at += 1;
      }
      at += 1;
      out.push({ kind: c === "'" ? 'other' : 'name', text, quoted: true });
    } else {
      const word = /^[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*/.exec(sql.slice(at, at + 1000))?.[0];
      out.push({ kind: word === undefined ? 'other' : 'name', text: word ?? c, quoted: false });
      at += word?.length ?? 1;
    }
  }
  return out;
}

const endAt = (found: number, sql: string): number => (found < 0 ? sql.length : found);

const tableConstraints = new Set(['CONSTRAINT', 'PRIMARY', 'UNIQUE', 'CHECK', 'FOREIGN']);
const columnConstraints = new Set([
  'CONSTRAINT',
  'PRIMARY',
  'NOT',
  'NULL',
  'UNIQUE',
  'CHECK',
  'DEFAULT',
  'COLLATE',
  'REFERENCES',
  'GENERATED',
  'AS',
]);

const keyword = (token: Token | undefined): string =>
  token?.kind === 'name' && !token.quoted ? token.text.toUpperCase() : '';

/** Undefined where the statement is not one that this reads (`CREATE TABLE … AS SELECT` is stored with plain columns). */
export function parseCreateTable(sql: string): CreateTable | undefined {
  const all = tokens(sql);
  const open = all.findIndex((t) => t.kind === 'other' && t.text === '(');
  if (open < 0 || keyword(all[0]) !== 'CREATE' || !all.slice(1, 3).some((t) => keyword(t) === 'TABLE'))
    return undefined;

  const parts: Token[][] = [[]];
  let depth = 0;
  let end = all.length;
  for (let i = open + 1; i < all.length; i += 1) {
    const token = all[i];
    if (token === undefined) break;
    const mark = token.kind === 'other' && !token.quoted ? token.text : '';
    if (mark === ')' && depth === 0) {
      end = i;
      break;
    }
    if (mark === '(') depth += 1;
    if (mark === ')') depth -= 1;
    if (mark === ',' && depth === 0) parts.push([]);
    else parts.at(-1)?.push(token);
  }

  const columns: SqliteColumn[] = [];
  let rowidColumn: number | undefined;
  for (const part of parts) {
    const [name, ...rest] = part;
    if (name === undefined) return undefined;
    if (tableConstraints.has(keyword(name))) {
      const key = primaryKeyOf(part);
      const index = columns.findIndex((c) => c.name.toLowerCase() === key?.toLowerCase());
      if (index >= 0 && columns[index]?.type.toUpperCase() === 'INTEGER') rowidColumn = index;
      continue;
    }
    const typeEnd = rest.findIndex((t) => columnConstraints.has(keyword(t)));
    const type = (typeEnd < 0 ? rest : rest.slice(0, typeEnd)).map((t) => t.text).join(' ');
    const primary = rest.findIndex((t) => keyword(t) === 'PRIMARY');
    if (primary >= 0 && type.toUpperCase() === 'INTEGER' && keyword(rest[primary + 2]) !== 'DESC') {
      rowidColumn = columns.length;
    }
    columns.push({ name: name.text, type });
  }
  const tail = all.slice(end + 1).map(keyword);
  return { columns, rowidColumn, withoutRowid: tail.includes('WITHOUT') };
}

/** The one column of `PRIMARY KEY (x)`; undefined where there are more. */
function primaryKeyOf(part: readonly Token[]): string | undefined {
  const at = part.findIndex((t) => keyword(t) === 'PRIMARY');
  if (at < 0 || part[at + 4]?.text !== ')') return undefined;
  return part[at + 3]?.text;
}
