import { stat } from 'node:fs/promises';
import { InputError } from '../../../../workloads/run/inputError.ts';
import { openBytes } from '../../../shared/openFile.ts';
import { badFile } from '../captureError.ts';
import { ImportBudget, type ImportLimits, importLimits } from '../importBudget.ts';
import { csvRecords } from './csv.ts';
import { foreignTable } from './foreignTables.ts';
import { type Layout, layoutOf } from './layout.ts';
import { NcuKernels } from './ncuKernels.ts';
import { missingForRoofline, type NcuReport } from './ncuReport.ts';

/**
 * Reads what `ncu --csv` prints, in any of its three forms, also several appended to one another and with a tool's other
 * lines before and between:
 *
 *     --page raw        a row of names, a row of units, a row per launch
 *     --page details    a row per metric of a launch, by label or name; rows of rules beside them
 *     --print-summary   a row per metric of all launches of a kernel: their average counts
 *
 * Values come scaled as each column suits them (units are read), with thousands marked. Memory grows with the launches.
 */
export async function importNcuCsv(
  path: string,
  options: { readonly limits?: ImportLimits; readonly signal?: AbortSignal } = {},
): Promise<NcuReport> {
  const budget = new ImportBudget(path, options.limits ?? importLimits, options.signal);
  let size: number;
  try {
    size = (await stat(path)).size;
  } catch {
    throw badFile(path, 'cannot be opened');
  }
  if (size === 0) throw badFile(path, 'is empty', expected);
  budget.checkSize(size);
  try {
    return await readNcuCsv(path, textOf(openBytes(path)), budget);
  } catch (thrown) {
    // Of a file that is packed in a way that is not read.
    if (thrown instanceof InputError) throw badFile(path, thrown.message.replace(`${path}: `, ''));
    throw thrown;
  }
}

const expected = 'expected the CSV of: ncu --import REPORT.ncu-rep --csv --page raw';

/** UTF-8 without its mark; `openBytes` has undone UTF-16. */
export async function* textOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  for await (const chunk of chunks) yield decoder.decode(chunk, { stream: true });
  yield decoder.decode();
}

/** Lines that are looked at before a table must have begun. */
const mostPreamble = 10_000;

export async function readNcuCsv(
  path: string,
  chunks: AsyncIterable<string>,
  budget: ImportBudget,
): Promise<NcuReport> {
  const kernels = new NcuKernels();
  let layout: Layout | undefined;
  let isUnitRow = false;
  let row = 0;
  let foreign: ReturnType<typeof foreignTable>;
  let broken: { readonly row: number; readonly fields: number; readonly needed: number } | undefined;
  let notUnderstood = 0;
  for await (const record of csvRecords(path, chunks)) {
    row += 1;
    budget.spendRow();
    if (budget.isDue()) await budget.breathe();
    if (record[0]?.startsWith('==')) continue;
    const found = layoutOf(record);
    if (found !== undefined) {
      // A table that begins anew: another export was appended.
      layout = found;
      isUnitRow = found.kind === 'raw';
      kernels.begin();
      continue;
    }
    if (layout === undefined) {
      foreign ??= foreignTable(record);
      if (row > mostPreamble) break;
      continue;
    }
    if (record.every((field) => field.trim() === '') && record.length < 2) continue;
    if (broken !== undefined) {
      // Something followed: the row was not the end of a file that was cut off.
      notUnderstood += 1;
      broken = undefined;
    }
    if (isUnitRow && (record[layout.idAt] ?? '') === '' && record.length === layout.width) {
      kernels.units(record);
      isUnitRow = false;
      continue;
    }
    isUnitRow = false;
    const taken = kernels.take(layout, record);
    if (taken === 'short') broken = { row, fields: record.length, needed: layout.needed };
    else if (taken === 'other') notUnderstood += 1;
  }
  if (layout === undefined) {
    if (foreign !== undefined) throw badFile(path, `is ${foreign.what}, ${expected}`, foreign.hint);
    throw badFile(
      path,
      'is not an Nsight Compute CSV: no header with "ID" and "Kernel Name"',
      'make one with: ncu --import REPORT.ncu-rep --csv --page raw --print-units base',
    );
  }
  if (broken !== undefined)
    throw badFile(
      path,
      `row ${broken.row}, the last, has ${broken.fields} of ${broken.needed} columns: the file is cut off`,
      expected,
    );
  const list = kernels.captured(path);
  const card = list[0]?.texts.get('device__attribute_display_name');
  return {
    source: 'captured',
    kernels: list,
    ...(card === undefined ? {} : { card }),
    missing: [
      ...missingForRoofline(list),
      ...(kernels.isThinned
        ? ['metrics beyond those of the roofline, of the later launches: the file has more than are kept']
        : []),
    ],
    unknownUnits: kernels.unknownUnits,
    ...(notUnderstood > 0 ? { notUnderstood } : {}),
  };
}
