import { InputError } from '../run/inputError.ts';
import { forEachLine, shown } from '../traffic/lines.ts';
import { type Curve, Grid } from './measuredGrid.ts';
import { type MoeTable, moeFile, readMoeTable } from './moeTable.ts';

/**
 * Operators of one layer of one model on one card, as measured. Attention is one kernel per layer, whose time depends on
 * what shares the pass, so it has three grids:
 *
 *   prompt  chunk → context before it                    nothing decodes
 *   decode  sequences → context of each                  nothing but decoding
 *   mixed   chunk → sequences → context before → context of each
 */
export interface OperatorTables {
  readonly name: string;
  readonly dense: ReadonlyMap<string, Curve>;
  readonly perSequence: ReadonlyMap<string, Curve>;
  readonly prompt: Grid;
  readonly decode: Grid;
  readonly mixed: Grid;
  /** The MoE block of one layer; absent for a dense model. */
  readonly moe?: MoeTable;
}

export const operatorFiles = {
  attention: 'op-attention.csv',
  dense: 'op-dense.csv',
  perSequence: 'op-per_sequence.csv',
} as const;

const headers = {
  attention: 'prefill_chunk,kv_prefill,n_decode,kv_decode,time_us',
  dense: 'layer,tokens,time_us',
  perSequence: 'layer,sequences,time_us',
} as const;

/** Opens one of the files by its name in the folder. */
export type OpenOperatorFile = (file: string) => AsyncIterable<Uint8Array>;

/** `hasMoe`: the folder holds op-moe.csv too. */
export async function readOperatorTables(
  folder: string,
  open: OpenOperatorFile,
  hasMoe = false,
): Promise<OperatorTables> {
  const attention: number[][] = [];
  await rows(folder, 'attention', open, 5, (values) => attention.push(values));
  const decode = attention.filter(([chunk]) => chunk === 0);
  const prompt = attention.filter(([, , sequences]) => sequences === 0);
  const mixed = attention.filter(([chunk = 0, , sequences = 0]) => chunk > 0 && sequences > 0);
  if (decode.length === 0 || prompt.length === 0) {
    throw new InputError(
      `${folder}/${operatorFiles.attention}: ${prompt.length} rows without decoding and ${decode.length} without a prompt, expected some of each`,
    );
  }
  return {
    name: folder,
    dense: await curves(folder, 'dense', open),
    perSequence: await curves(folder, 'perSequence', open),
    prompt: Grid.of(prompt, [0, 1], 4),
    decode: Grid.of(decode, [2, 3], 4),
    mixed: Grid.of(mixed, [0, 2, 1, 3], 4),
    ...(hasMoe ? { moe: await readMoeTable(`${folder}/${moeFile}`, open(moeFile)) } : {}),
  };
}

async function curves(
  folder: string,
  table: 'dense' | 'perSequence',
  open: OpenOperatorFile,
): Promise<ReadonlyMap<string, Curve>> {
  const points = new Map<string, [number, number][]>();
  await rows(folder, table, open, 2, ([at = 0, us = 0], operator) => {
    const own = points.get(operator);
    if (own === undefined) points.set(operator, [[at, us]]);
    else own.push([at, us]);
  });
  if (points.size === 0) {
    throw new InputError(`${folder}/${operatorFiles[table]}:2: no row, expected ${headers[table]}`);
  }
  return new Map(
    [...points].map(([operator, own]) => {
      own.sort(([a], [b]) => a - b);
      return [operator, { at: own.map(([at]) => at), us: own.map(([, us]) => us) }];
    }),
  );
}

/** Rows of numbers, after the operator's name where the table has one; the last number is a time. */
async function rows(
  folder: string,
  table: keyof typeof headers,
  open: OpenOperatorFile,
  numbers: number,
  row: (values: number[], operator: string) => void,
): Promise<void> {
  const name = `${folder}/${operatorFiles[table]}`;
  const header = headers[table];
  const columns = header.split(',');
  const named = columns.length - numbers;
  const text = new TextDecoderAscii();
  let first = true;
  await forEachLine(name, open(operatorFiles[table]), (bytes, start, end, number) => {
    const fields = text.of(bytes, start, end).split(',');
    if (first) {
      first = false;
      if (fields.join(',') !== header) {
        throw new InputError(`${name}:${number}: header ${shown(bytes, start, end)}, expected ${header}`);
      }
      return true;
    }
    if (fields.length !== columns.length) {
      throw new InputError(
        `${name}:${number}: ${fields.length} columns, expected ${columns.length}: ${header}`,
      );
    }
    const values = fields.slice(named).map((field, i) => {
      const value = Number(field);
      const isTime = i === numbers - 1;
      const good =
        field !== '' &&
        Number.isFinite(value) &&
        (isTime ? value > 0 : Number.isInteger(value) && value >= 0);
      if (good) return value;
      throw new InputError(
        `${name}:${number}: ${columns[named + i]} is "${field.slice(0, 40)}", expected ${isTime ? 'a time in µs above 0' : 'an integer from 0'}`,
      );
    });
    row(values, named === 0 ? '' : (fields[0] ?? ''));
    return true;
  });
  if (first) throw new InputError(`${name}:1: an empty file, expected the header ${header}`);
}

class TextDecoderAscii {
  of(bytes: Uint8Array, start: number, end: number): string {
    let text = '';
    for (let i = start; i < end; i++) text += String.fromCharCode(bytes[i] ?? 0);
    return text;
  }
}

/** Tables by the SHA-256 of their files: a spec names the tables by checksum, and they are registered here before the run starts. */
const loaded = new Map<string, OperatorTables>();

export const provideOperatorTables = (sha256: string, tables: OperatorTables): void => {
  loaded.set(sha256, tables);
};

export const hasOperatorTables = (sha256: string): boolean => loaded.has(sha256);

export function operatorTables(path: string, sha256: string): OperatorTables {
  const tables = loaded.get(sha256);
  if (tables !== undefined) return tables;
  throw new InputError(`${path}: no operator tables with SHA-256 ${sha256.slice(0, 12)}… were loaded`);
}
