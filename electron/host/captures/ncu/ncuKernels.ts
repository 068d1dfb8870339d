import { badFile } from '../captureError.ts';
import { metricOfLabel } from './detailsLabels.ts';
import { idColumns, isRange, type Layout } from './layout.ts';
import type { CapturedKernel } from './ncuReport.ts';
import { inStyle, type NumberStyle, readNumber } from './numberStyle.ts';
import { unitFactor } from './units.ts';

interface OpenKernel {
  readonly key: string;
  readonly id: number;
  readonly cells: ReadonlyMap<string, string>;
  readonly metrics: Map<string, number>;
  readonly texts: Map<string, string>;
  /** Section and name of its first row: that row again begins another launch with the same id. */
  readonly firstMetric: string;
  readonly invocations: number | undefined;
}

/** Values of all launches that are kept whole: 4 million take about 300 MB. */
const mostValues = 4_000_000;
/** What later launches of a larger file keep: times, bytes, work and launch shapes, from which points under a roof follow. */
const rooflineMetrics =
  /^(gpu__time|dram__(bytes|sectors|throughput)|fbpa__dram|lts__t_(bytes|sectors)|l1tex__(t_bytes|m_)|sm__ops_path|smsp__sass_thread_inst_executed_op|\w+__cycles_elapsed|launch__(grid|block|thread)|sm__throughput)/;

interface Ambiguous {
  readonly kernel: OpenKernel;
  readonly metric: string;
  readonly text: string;
  readonly factor: number;
}

/** Collects the launches of a table, row by row. */
export class NcuKernels {
  readonly #kernels: OpenKernel[] = [];
  /** Of the summary, whose kernels come back section by section. */
  readonly #byKey = new Map<string, OpenKernel>();
  readonly #unknownUnits = new Set<string>();
  readonly #ambiguous: Ambiguous[] = [];
  readonly #shown: Partial<Record<NumberStyle, string>> = {};
  #units: readonly string[] = [];
  #current: OpenKernel | undefined;

  #values = 0;

  /** True where later launches kept the metrics of the roofline alone, so that any file fits into memory. */
  get isThinned(): boolean {
    return this.#values > mostValues;
  }

  get unknownUnits(): string[] {
    return [...this.#unknownUnits];
  }

  /** A header was read: launches of before are closed. */
  begin(): void {
    this.#current = undefined;
    this.#units = [];
    this.#byKey.clear();
  }

  units(record: readonly string[]): void {
    this.#units = record;
  }

  /** `short`: too few columns to say anything; `other`: a line that does not belong to the table. */
  take(layout: Layout, record: readonly string[]): 'taken' | 'short' | 'other' {
    const at = (name: string): string => record[layout.column.get(name) ?? -1] ?? '';
    if (layout.kind !== 'summary' && !/^\d+$/.test((record[layout.idAt] ?? '').trim()))
      return record.length < layout.needed && record.length > 1 && /^\d*$/.test(record[0] ?? '')
        ? 'short'
        : 'other';
    const isRule = layout.kind !== 'raw' && at('Metric Name').trim() === '' && at('Rule Name').trim() !== '';
    if (isRule) return 'taken';
    if (record.length < layout.needed) return 'short';
    if (record.length > layout.width && record.slice(layout.width).some((field) => field.trim() !== ''))
      return 'other';
    if (layout.kind === 'raw') {
      const kernel = this.#open(layout, record, '');
      for (const [name, i] of layout.column) {
        if (!idColumns.has(name) && !isRange(name))
          this.#put(kernel, name, record[i] ?? '', this.#units[i] ?? '');
      }
      return 'taken';
    }
    const label = at('Metric Name').trim();
    const section = at('Section Name').trim();
    const unit = at('Metric Unit');
    const kernel = this.#kernelOf(layout, record, `${section}/${label}/${unit}`);
    const value = at(layout.kind === 'summary' ? 'Average' : 'Metric Value');
    this.#put(kernel, metricOfLabel(label, section, unit), value, unit);
    return 'taken';
  }

  #kernelOf(layout: Layout, record: readonly string[], metric: string): OpenKernel {
    const key = this.#keyOf(layout, record);
    if (layout.kind === 'summary') {
      const known = this.#byKey.get(key);
      if (known !== undefined) return known;
      const made = this.#open(layout, record, metric);
      this.#byKey.set(key, made);
      return made;
    }
    const current = this.#current;
    // The same id again with the same first row: ids began anew, in an export that was appended without its header.
    if (current !== undefined && current.key === key && current.firstMetric !== metric) return current;
    return this.#open(layout, record, metric);
  }

  #keyOf(layout: Layout, record: readonly string[]): string {
    const at = (name: string): string => record[layout.column.get(name) ?? -1] ?? '';
    return ['ID', 'Process ID', 'Process Name', 'Kernel Name', 'Grid Size', 'Block Size', 'Device']
      .map(at)
      .join('\0');
  }

  #open(layout: Layout, record: readonly string[], metric: string): OpenKernel {
    const cells = new Map(
      layout.header.flatMap((name, i) =>
        idColumns.has(name) || isRange(name) ? [[name, record[i] ?? '']] : [],
      ),
    );
    const invocations = Number(cells.get('Invocations') ?? '');
    const kernel: OpenKernel = {
      key: this.#keyOf(layout, record),
      id: layout.kind === 'summary' ? this.#kernels.length : Number(record[layout.idAt]),
      cells,
      metrics: new Map(),
      texts: new Map(),
      firstMetric: metric,
      invocations: Number.isInteger(invocations) && invocations > 0 ? invocations : undefined,
    };
    this.#kernels.push(kernel);
    this.#current = kernel;
    return kernel;
  }

  #put(kernel: OpenKernel, metric: string, value: string, unit: string): void {
    if (metric === '' || value.trim() === '') return;
    if (++this.#values > mostValues && !rooflineMetrics.test(metric)) return;
    const read = readNumber(value);
    if (read === undefined) {
      kernel.texts.set(metric, value);
      return;
    }
    const factor = unitFactor(unit);
    if (factor === undefined) this.#unknownUnits.add(`${metric} in ${unit}`);
    if ('ambiguous' in read) {
      this.#ambiguous.push({ kernel, metric, text: read.ambiguous, factor: factor ?? 1 });
      return;
    }
    if (read.shows !== undefined) this.#shown[read.shows] ??= value;
    kernel.metrics.set(metric, read.value * (factor ?? 1));
  }

  /** All launches, with their numbers in the style that the file shows. Throws where it shows both, or none. */
  captured(path: string): CapturedKernel[] {
    const { point, comma } = this.#shown;
    if (point !== undefined && comma !== undefined)
      throw badFile(
        path,
        `has numbers of two styles, ${point} and ${comma}, expected one`,
        'export it anew under one language: LC_ALL=C ncu --import REPORT.ncu-rep --csv --page raw',
      );
    const [first] = this.#ambiguous;
    const style = comma !== undefined ? 'comma' : point !== undefined ? 'point' : undefined;
    if (first !== undefined && style === undefined) {
      const [a, b] = [inStyle(first.text, 'point'), inStyle(first.text, 'comma')];
      throw badFile(
        path,
        `${first.metric} is ${first.text}, which is ${a} or ${b}, expected some number that shows the style`,
        'export it with LC_ALL=C ncu --import REPORT.ncu-rep --csv --page raw, or open the .ncu-rep',
      );
    }
    for (const { kernel, metric, text, factor } of this.#ambiguous)
      kernel.metrics.set(metric, inStyle(text, style ?? 'point') * factor);
    return this.#kernels.map(captured);
  }
}

function captured(kernel: OpenKernel, index: number): CapturedKernel {
  const cell = (name: string) => kernel.cells.get(name)?.trim() || undefined;
  const whole = (name: string) => {
    const text = cell(name);
    return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
  };
  const process = cell('Process Name');
  const device = whole('Device');
  const stream = whole('Stream');
  const computeCapability = cell('CC');
  const grid = triple(cell('Grid Size'), kernel, 'launch__grid_dim_');
  const block = triple(cell('Block Size'), kernel, 'launch__block_dim_');
  return {
    // Ids begin anew where exports were appended: the place in the file is unique.
    id: index,
    name: cell('Kernel Name') ?? 'unnamed',
    ...(process === undefined ? {} : { process }),
    ...(device === undefined ? {} : { device }),
    ...(stream === undefined ? {} : { stream }),
    ...(computeCapability === undefined ? {} : { computeCapability }),
    ...(grid === undefined ? {} : { grid }),
    ...(block === undefined ? {} : { block }),
    ...(kernel.invocations === undefined ? {} : { invocations: kernel.invocations }),
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
  const found = /^\(?(\d+),\s*(\d+),\s*(\d+)\)?$/.exec(text ?? '');
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
