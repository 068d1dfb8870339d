import type { CallEvents, CopySummary, NameSummary, NsysReport, RangeKernelSummary } from './nsysReport.ts';

/** Kernels, calls, or ranges, which alone have a depth. */
export interface NamedEvents extends Pick<CallEvents, 'rows' | 'startNs' | 'endNs' | 'name'> {
  readonly depth?: Float64Array;
}

/** Tables of a report: total time by name, copies by kind, kernels by NVTX range. Largest total first. */
export function summariseNames(events: NamedEvents, allNames: readonly string[]): NameSummary[] {
  // Ranges are grouped without their ids; kernels and calls have none.
  const isRange = events.depth !== undefined;
  const names = isRange ? allNames.map(withoutIds) : allNames;
  const first = new Map<string, number>();
  const grouped = isRange
    ? names.map((name, i) => {
        const at = first.get(name) ?? i;
        first.set(name, at);
        return at;
      })
    : undefined;
  const durations = new Map<number, number[]>();
  let total = 0;
  for (let i = 0; i < events.rows; i += 1) {
    const duration = (events.endNs[i] ?? 0) - (events.startNs[i] ?? 0);
    total += duration;
    const index = events.name[i] ?? -1;
    const name = grouped?.[index] ?? index;
    const list = durations.get(name);
    if (list === undefined) durations.set(name, [duration]);
    else list.push(duration);
  }
  const rows = [...durations].map(([name, list]) => {
    list.sort((a, b) => a - b);
    const totalNs = list.reduce((sum, d) => sum + d, 0);
    return {
      name: names[name] ?? 'unnamed',
      count: list.length,
      totalNs,
      share: total > 0 ? totalNs / total : 0,
      minNs: list[0] ?? 0,
      medianNs: median(list),
      maxNs: list.at(-1) ?? 0,
    };
  });
  return rows.sort((a, b) => b.totalNs - a.totalNs || (a.name < b.name ? -1 : 1));
}

const median = (sorted: readonly number[]): number => {
  const middle = (sorted.length - 1) / 2;
  return ((sorted[Math.floor(middle)] ?? 0) + (sorted[Math.ceil(middle)] ?? 0)) / 2;
};

/** CUDA_MEMCPY_KIND by number, as nsys writes it. */
const copyKinds: Readonly<Record<number, string>> = {
  1: 'host to device',
  2: 'device to host',
  3: 'host to array',
  4: 'array to host',
  5: 'array to array',
  6: 'array to device',
  7: 'device to array',
  8: 'device to device',
  9: 'host to host',
  10: 'peer to peer',
  11: 'unified memory, host to device',
  12: 'unified memory, device to host',
  13: 'unified memory, device to device',
};

export function summariseCopies({ copies }: Pick<NsysReport, 'copies'>): CopySummary[] {
  const sums = new Map<string, { count: number; bytes: number; totalNs: number }>();
  for (let i = 0; i < copies.rows; i += 1) {
    const kind =
      copies.isSet[i] === 1 ? 'memset' : (copyKinds[copies.kind[i] ?? 0] ?? `kind ${copies.kind[i]}`);
    const sum = sums.get(kind) ?? { count: 0, bytes: 0, totalNs: 0 };
    sums.set(kind, sum);
    sum.count += 1;
    sum.bytes += copies.bytes[i] || 0;
    sum.totalNs += (copies.endNs[i] ?? 0) - (copies.startNs[i] ?? 0);
  }
  return [...sums]
    .map(([kind, sum]) => ({
      kind,
      ...sum,
      ...(sum.totalNs > 0 && sum.bytes > 0 ? { bytesPerSec: (sum.bytes / sum.totalNs) * 1e9 } : {}),
    }))
    .sort((a, b) => b.totalNs - a.totalNs || (a.kind < b.kind ? -1 : 1));
}

/**
 * A range's name without the numbers that differ from one range to the next, as tracers put them there:
 *
 *     aten::view, op_id = 314290 -> aten::view      step 12 -> step      forward (seq = 7) -> forward
 */
export function withoutIds(name: string): string {
  const id =
    '(?:op_?id|seq(?:uence)?(?:_?(?:id|nr|number))?|(?:fwd_|request_?|batch_?|correlation_?)?id|trace_?id|step|iter(?:ation)?|index|token)';
  const plain = name
    .replace(new RegExp(String.raw`[,;]?\s*\(?\b${id}\s*[=:]\s*(?:0x[\da-f]+|-?\d+)\)?`, 'gi'), '')
    .replace(/\b(step|iter(?:ation)?|batch|epoch|layer|token|request)([ _#-]*)\d+$/i, '$1')
    .replace(/\s*#\d+$/, '')
    .trim();
  return plain === '' ? name : plain;
}

export function kernelsByRange(report: NsysReport): RangeKernelSummary[] {
  const { kernels, ranges, names } = report;
  const plainNames = new Map<string, number>();
  const groupOf = new Map<number, number>();
  const grouped = (index: number): number => {
    const known = groupOf.get(index);
    if (known !== undefined) return known;
    const plain = withoutIds(names[index] ?? '');
    const group = plainNames.get(plain) ?? index;
    plainNames.set(plain, group);
    groupOf.set(index, group);
    return group;
  };
  const sums = new Map<
    string,
    { range: number; kernel: number; count: number; gpuNs: number; queueNs: number; launched: number }
  >();
  for (let i = 0; i < kernels.rows; i += 1) {
    const row = kernels.range[i] ?? -1;
    const range = row < 0 ? -1 : grouped(ranges.name[row] ?? -1);
    const kernel = kernels.name[i] ?? -1;
    const key = `${range}/${kernel}`;
    const sum = sums.get(key) ?? { range, kernel, count: 0, gpuNs: 0, queueNs: 0, launched: 0 };
    sums.set(key, sum);
    sum.count += 1;
    sum.gpuNs += (kernels.endNs[i] ?? 0) - (kernels.startNs[i] ?? 0);
    const queued = (kernels.startNs[i] ?? 0) - (kernels.launchEndNs[i] ?? Number.NaN);
    if (!Number.isNaN(queued)) {
      sum.queueNs += queued;
      sum.launched += 1;
    }
  }
  return [...sums.values()]
    .map((sum) => ({
      ...(sum.range < 0 ? {} : { range: withoutIds(names[sum.range] ?? 'unnamed') }),
      kernel: names[sum.kernel] ?? 'unnamed',
      count: sum.count,
      gpuNs: sum.gpuNs,
      ...(sum.launched > 0 ? { meanQueueNs: sum.queueNs / sum.launched } : {}),
    }))
    .sort((a, b) => b.gpuNs - a.gpuNs);
}
