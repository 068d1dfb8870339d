import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { badFile } from '../captureError.ts';
import { ImportBudget, type ImportLimits, importLimits } from '../importBudget.ts';
import { csvRecords } from './csv.ts';
import { type CapturedKernel, missingForRoofline, type NcuReport } from './ncuReport.ts';
import { unitFactor } from './units.ts';

/**
 * Reads what `ncu --csv` prints, in both of its shapes:
 *
 *     --page raw       one row per launch: id columns, then a column per metric; a second header row holds the units
 *     --page details   one row per launch and metric: … "Metric Name","Metric Unit","Metric Value"
 *
 * Lines that ncu prints around the table (`==PROF== …`) are skipped, columns are found by name, thousands separators
 * go. What is not a number stays a text.
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
  if (size === 0)
    throw badFile(path, 'is empty; expected the CSV of: ncu --import REPORT.ncu-rep --csv --page raw');
  budget.checkSize(size);
  return readNcuCsv(path, createReadStream(path, { encoding: 'utf8', highWaterMark: 1 << 18 }), budget);
}

interface Layout {
  readonly header: readonly string[];
  readonly column: ReadonlyMap<string, number>;
  readonly isLong: boolean;
}

interface OpenKernel {
  readonly id: number;
  readonly cells: ReadonlyMap<string, string>;
  readonly metrics: Map<string, number>;
  readonly texts: Map<string, string>;
}

/** Columns that name the launch; everything else in a raw page is a metric. */
const idColumns = new Set([
  'ID',
  'Process ID',
  'Process Name',
  'Host Name',
  'Kernel Name',
  'Kernel Time',
  'Context',
  'Stream',
  'Block Size',
  'Grid Size',
  'Device',
  'CC',
  'Section Name',
  'Range',
]);

export async function readNcuCsv(
  path: string,
  chunks: AsyncIterable<string>,
  budget: ImportBudget,
): Promise<NcuReport> {
  const kernels = new Map<string, OpenKernel>();
  const unknownUnits = new Set<string>();
  let layout: Layout | undefined;
  let units: readonly string[] | undefined;
  let line = 0;
  for await (const record of csvRecords(path, chunks)) {
    line += 1;
    budget.spendRow();
    if (budget.isDue()) await budget.breathe();
    if (record.length === 1 || record[0]?.startsWith('==')) continue;
    if (layout === undefined) {
      const header = record.map((name, i) => (i === 0 ? name.replace(/^\ufeff/, '') : name));
      if (!header.includes('ID') || !header.includes('Kernel Name')) {
        if (line > 10_000) break;
        continue;
      }
      const column = new Map(header.map((name, i) => [name, i]));
      layout = { header, column, isLong: column.has('Metric Name') };
      continue;
    }
    const id = Number(record[layout.column.get('ID') ?? 0]);
    if (!layout.isLong && units === undefined && record[layout.column.get('ID') ?? 0] === '') {
      units = record;
      continue;
    }
    if (!Number.isInteger(id))
      throw badFile(
        path,
        `line ${line}: its id is not a number; the table is cut off or mixed with other output`,
      );
    if (record.length !== layout.header.length) {
      throw badFile(
        path,
        `line ${line} has ${record.length} of ${layout.header.length} columns: the file is cut off`,
      );
    }
    const process = record[layout.column.get('Process ID') ?? -1] ?? '';
    const key = `${process}/${id}`;
    let kernel = kernels.get(key);
    if (kernel === undefined) {
      const cells = new Map(
        layout.header.flatMap((name, i) =>
          idColumns.has(name) || isRange(name) ? [[name, record[i] ?? '']] : [],
        ),
      );
      kernel = { id, cells, metrics: new Map(), texts: new Map() };
      kernels.set(key, kernel);
    }
    if (layout.isLong) {
      const at = (name: string) => record[layout?.column.get(name) ?? -1] ?? '';
      put(kernel, at('Metric Name'), at('Metric Value'), at('Metric Unit'), unknownUnits);
    } else {
      for (const [name, i] of layout.column) {
        if (!idColumns.has(name) && !isRange(name))
          put(kernel, name, record[i] ?? '', units?.[i] ?? '', unknownUnits);
      }
    }
  }
  if (layout === undefined) {
    throw badFile(
      path,
      'is not an Nsight Compute CSV: no header with "ID" and "Kernel Name"',
      'make one with: ncu --import REPORT.ncu-rep --csv --page raw --print-units base',
    );
  }
  const list = [...kernels.values()].map(captured);
  const card = list[0]?.texts.get('device__attribute_display_name');
  return {
    source: 'captured',
    kernels: list,
    ...(card === undefined ? {} : { card }),
    missing: missingForRoofline(list),
    unknownUnits: [...unknownUnits],
  };
}

/** NVTX columns: `thread Domain:Push/Pop_Range:PL_Type:…` and `Id:Domain:Start/Stop_Range:…`. */
const isRange = (name: string): boolean => /Domain:(Push\/Pop|Start\/Stop)_Range/.test(name);

function put(kernel: OpenKernel, name: string, value: string, unit: string, unknownUnits: Set<string>): void {
  if (name === '' || value === '') return;
  const number = parseNumber(value);
  if (number === undefined) {
    kernel.texts.set(name, value);
    return;
  }
  const factor = unitFactor(unit);
  if (factor === undefined) unknownUnits.add(`${name} in ${unit}`);
  kernel.metrics.set(name, number * (factor ?? 1));
}

/** `1,234.5`, `0x10`, `-3e+05`; undefined where it is a text. Instanced metrics print `total (a; b; …)`: the total counts. */
export function parseNumber(text: string): number | undefined {
  const first = text.replace(/\s*\(.*\)\s*$/s, '').trim();
  const plain = /^[-+]?\d{1,3}(,\d{3})+(\.\d+)?$/.test(first) ? first.replaceAll(',', '') : first;
  if (!/^([-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?|0x[\da-fA-F]+)$/.test(plain)) return undefined;
  const value = Number(plain);
  return Number.isFinite(value) ? value : undefined;
}

function captured(kernel: OpenKernel): CapturedKernel {
  const cell = (name: string) => kernel.cells.get(name) || undefined;
  const whole = (name: string) => (cell(name) === undefined ? undefined : parseNumber(cell(name) ?? ''));
  const process = cell('Process Name');
  const device = whole('Device');
  const stream = whole('Stream');
  const computeCapability = cell('CC');
  const grid = triple(cell('Grid Size'), kernel, 'launch__grid_dim_');
  const block = triple(cell('Block Size'), kernel, 'launch__block_dim_');
  return {
    id: kernel.id,
    name: cell('Kernel Name') ?? 'unnamed',
    ...(process === undefined ? {} : { process }),
    ...(device === undefined ? {} : { device }),
    ...(stream === undefined ? {} : { stream }),
    ...(computeCapability === undefined ? {} : { computeCapability }),
    ...(grid === undefined ? {} : { grid }),
    ...(block === undefined ? {} : { block }),
    ranges: [...kernel.cells].flatMap(([name, text]) => (isRange(name) ? rangeNames(text) : [])),
    metrics: kernel.metrics,
    texts: kernel.texts,
  };
}

/** `(1056, 1, 1)`, or the launch metrics where the column is missing. */
function triple(
  text: string | undefined,
  kernel: OpenKernel,
  metric: string,
): [number, number, number] | undefined {
  const found = /^\((\d+),\s*(\d+),\s*(\d+)\)$/.exec(text ?? '');
  const [x, y, z] =
    found === null
      ? ['x', 'y', 'z'].map((axis) => kernel.metrics.get(metric + axis))
      : found.slice(1).map(Number);
  return x === undefined || y === undefined || z === undefined ? undefined : [x, y, z];
}

/** `<default domain>:saxpy-loop:none:none:…` per nested range; names come second. */
function rangeNames(cell: string): string[] {
  return cell
    .split(/[\n;]/)
    .map((one) => one.trim().replace(/^"|"$/g, '').split(':')[1] ?? '')
    .filter((name) => name !== '');
}
