import { InputError } from '../run/inputError.ts';
import { forEachLine } from '../traffic/lines.ts';
import { Grid } from './measuredGrid.ts';

/** The measured MoE block of one layer (gate, grouped experts, combine), by expert-parallel degree: tokens → experts with a token. */
export type MoeTable = ReadonlyMap<number, Grid>;

export const moeFile = 'op-moe.csv';

const headers = ['tokens,activated_experts,time_us', 'ep,tokens,activated_experts,time_us'] as const;

/** Reads op-moe.csv: µs by tokens and activated experts; a table without the column ep was measured with all experts on the card. */
export async function readMoeTable(name: string, chunks: AsyncIterable<Uint8Array>): Promise<MoeTable> {
  const degrees = new Map<number, (readonly number[])[]>();
  let columns: readonly string[] | undefined;
  await forEachLine(name, chunks, (bytes, start, end, number) => {
    let text = '';
    for (let i = start; i < end; i++) text += String.fromCharCode(bytes[i] ?? 0);
    const fields = text.split(',');
    if (columns === undefined) {
      if (!headers.some((header) => header === text)) {
        throw new InputError(
          `${name}:${number}: header "${text.slice(0, 60)}", expected ${headers.join(' or ')}`,
        );
      }
      columns = fields;
      return true;
    }
    if (fields.length !== columns.length) {
      throw new InputError(
        `${name}:${number}: ${fields.length} columns, expected ${columns.length}: ${columns.join(',')}`,
      );
    }
    const values = fields.map((field, i) => {
      const value = Number(field);
      const isTime = i === fields.length - 1;
      if (
        field !== '' &&
        Number.isFinite(value) &&
        (isTime ? value > 0 : Number.isInteger(value) && value >= 1)
      )
        return value;
      throw new InputError(
        `${name}:${number}: ${columns?.[i] ?? ''} is "${field.slice(0, 40)}", expected ${isTime ? 'a time in µs above 0' : 'an integer from 1'}`,
      );
    });
    const [ep = 1, tokens = 0, active = 0, us = 0] = values.length === 4 ? values : [1, ...values];
    const rows = degrees.get(ep) ?? [];
    degrees.set(ep, rows);
    rows.push([tokens, active, us]);
    return true;
  });
  if (degrees.size === 0) throw new InputError(`${name}:1: no row, expected ${headers[0]}`);
  return new Map([...degrees].sort(([a], [b]) => a - b).map(([ep, rows]) => [ep, Grid.of(rows, [0, 1], 2)]));
}

/**
 * One layer's block on the busiest rank, µs. `tokens` are those of the whole group, `share` is the part of the (token, expert) pairs
 * that the rank computes, `active` its experts with a token. A table measured at this degree has seen what a rank sees of `tokens`;
 * one measured with all experts on the card is asked for as many tokens as have the rank's number of pairs.
 */
export function moeBlockUs(
  table: MoeTable,
  degree: number,
  tokens: number,
  share: number,
  active: number,
): number {
  const own = table.get(degree);
  if (own !== undefined) return Math.max(0, own.at(tokens, active));
  const whole = table.get(1);
  if (whole === undefined) {
    throw new InputError(
      `${moeFile}: measured for ep ${[...table.keys()].join(', ')}, expected ${degree} or 1`,
    );
  }
  return Math.max(0, whole.at(Math.max(1, tokens * share), active));
}
