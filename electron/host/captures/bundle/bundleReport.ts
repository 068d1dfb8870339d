import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { KernelSummary } from '../../../../workloads/kernels/kernelSummary.ts';
import { absentInt32 } from '../../../../workloads/run/tables.ts';
import { matchKind } from '../../../shared/kinds/runKind.ts';
import { readManifest } from '../../store/manifest.ts';
import { readSummary } from '../../store/runIndex.ts';
import { badFile } from '../captureError.ts';
import { GrowingColumn, rowsById } from '../nsys/growingColumn.ts';
import { enclosingRanges, rangeDepths } from '../nsys/kernelRanges.ts';
import type { NsysReport } from '../nsys/nsysReport.ts';
import { rowsOf } from '../trace/bundleTables.ts';

/**
 * A run bundle that recorded its own kernels (`--kernels`), as the same columns that an Nsight Systems report is read into: the
 * timeline, the kernel table, idle time, side by side and the Chrome trace work on it as on a capture. Times are the run's.
 */

/** One process and one clock: CUPTI's records need no process id. */
const pid = 1;
const pushPop = 59;
/** CUDA_MEMCPY_KIND by the names of the table's rows. */
const copyKinds: Readonly<Record<string, number>> = {
  'host to device': 1,
  'device to host': 2,
  'device to device': 8,
  'peer to peer': 10,
};

export const isBundle = (folder: string): boolean => existsSync(join(folder, 'manifest.json'));

/** Throws CaptureError `bad_input` where the run recorded no kernels. */
export async function readBundleReport(folder: string): Promise<NsysReport> {
  const { spec, versions } = await readManifest(folder);
  matchKind(spec, {
    kernels: () => undefined,
    serving: () => {
      throw badFile(
        folder,
        'is a run that launched no kernels',
        'its requests have a trace of their own: Export',
      );
    },
  });
  const names = new Names();
  const kernels = columns([
    'start',
    'end',
    'name',
    'device',
    'stream',
    'correlation',
    'threads',
    'block',
    'registers',
    'shared',
  ]);
  const copies = columns(['start', 'end', 'kind', 'isSet', 'bytes', 'device', 'stream']);
  for await (const rows of rowsOf(folder, 'kernels')) {
    const [source, kind, name] = [rows.texts('source'), rows.texts('kind'), rows.texts('name')];
    const at = (column: string, row: number) => known(rows.numbers(column)?.[row]);
    for (let i = 0; i < rows.rows; i += 1) {
      if (source?.[i] !== 'cupti') continue;
      const start = at('start_ns', i);
      const end = start + at('duration_ns', i);
      const place = { device: at('device', i), stream: at('stream', i) };
      if (kind?.[i] === 'kernel')
        kernels.push({
          start,
          end,
          name: names.indexOf(name?.[i] ?? ''),
          ...place,
          correlation: at('correlation', i),
          threads: at('threads', i),
          block: at('block_threads', i),
          registers: at('registers', i),
          shared: at('shared_bytes', i),
        });
      else
        copies.push({
          start,
          end,
          kind: kind?.[i] === 'memset' ? 0 : (copyKinds[name?.[i] ?? ''] ?? 0),
          isSet: kind?.[i] === 'memset' ? 1 : 0,
          bytes: at('bytes', i),
          ...place,
        });
    }
  }
  if (kernels.rows === 0 && copies.rows === 0)
    throw badFile(
      folder,
      'is a run whose kernels were not recorded',
      'run it again with “Record kernels” (on the command line --kernels), or capture it with Nsight Systems',
    );
  const ranges = columns(['start', 'end', 'name', 'thread']);
  const calls = columns(['start', 'end', 'name', 'thread', 'correlation']);
  for await (const rows of rowsOf(folder, 'spans')) {
    const [source, kind, name] = [rows.texts('source'), rows.texts('kind'), rows.texts('name')];
    const at = (column: string, row: number) => known(rows.numbers(column)?.[row]);
    for (let i = 0; i < rows.rows; i += 1) {
      if (source?.[i] !== 'cupti') continue;
      const start = at('start_ns', i);
      const one = {
        start,
        end: start + at('duration_ns', i),
        name: names.indexOf(name?.[i] ?? ''),
        thread: at('thread', i),
      };
      if (kind?.[i] === 'range') ranges.push(one);
      else calls.push({ ...one, correlation: at('correlation', i) });
    }
  }
  const summary = (await readSummary(folder)) as KernelSummary | undefined;
  return assembled(names.all, kernels, copies, ranges, calls, summary, versions['dyno'] ?? '');
}

function assembled(
  names: readonly string[],
  kernels: ColumnSet,
  copies: ColumnSet,
  ranges: ColumnSet,
  calls: ColumnSet,
  summary: KernelSummary | undefined,
  version: string,
): NsysReport {
  const flatRanges = {
    rows: ranges.rows,
    startNs: ranges.of('start'),
    endNs: ranges.of('end'),
    name: ranges.of('name'),
    pid: new Float64Array(ranges.rows).fill(pid),
    tid: ranges.of('thread'),
    kind: new Float64Array(ranges.rows).fill(pushPop),
  };
  const rangeEvents = { ...flatRanges, depth: rangeDepths(flatRanges) };
  const apiCalls = {
    rows: calls.rows,
    startNs: calls.of('start'),
    endNs: calls.of('end'),
    name: calls.of('name'),
    pid: new Float64Array(calls.rows).fill(pid),
    tid: calls.of('thread'),
    correlation: calls.of('correlation'),
  };
  // A runtime call and the driver call within it share a correlation id: the launch is the inner one.
  const callOf = rowsById(apiCalls.correlation);
  const enclosing = enclosingRanges(apiCalls, rangeEvents);
  const correlation = kernels.of('correlation');
  const launch = Array.from(correlation, callOf);
  const ofLaunch = (column: Float64Array, otherwise: number) =>
    Float64Array.from(launch, (row) => (row === undefined ? otherwise : (column[row] ?? otherwise)));
  const { recording, device } = summary ?? {};
  const lost = (recording?.dropped ?? 0) + (recording?.refused_buffers ?? 0);
  const cost = Object.entries(recording?.cost ?? {}).map(
    ([variant, { ratio }]) => `${variant} ×${ratio.toFixed(3)}`,
  );
  const empty = new Float64Array(0);
  return {
    source: 'captured',
    tool: { name: 'CUPTI in the process, Dyno', version, schema: 'kernels, spans' },
    gpus: device === undefined ? [] : [{ id: device.index, name: device.name }],
    names,
    kernels: {
      rows: kernels.rows,
      startNs: kernels.of('start'),
      endNs: kernels.of('end'),
      name: kernels.of('name'),
      device: kernels.of('device'),
      stream: kernels.of('stream'),
      pid: new Float64Array(kernels.rows).fill(pid),
      correlation,
      gridThreads: kernels.of('threads'),
      blockThreads: kernels.of('block'),
      registers: kernels.of('registers'),
      sharedBytes: kernels.of('shared'),
      launchStartNs: ofLaunch(apiCalls.startNs, Number.NaN),
      launchEndNs: ofLaunch(apiCalls.endNs, Number.NaN),
      range: ofLaunch(enclosing, -1),
    },
    copies: {
      rows: copies.rows,
      startNs: copies.of('start'),
      endNs: copies.of('end'),
      kind: copies.of('kind'),
      isSet: Uint8Array.from(copies.of('isSet')),
      bytes: copies.of('bytes'),
      device: copies.of('device'),
      stream: copies.of('stream'),
    },
    ranges: rangeEvents,
    apiCalls,
    osCalls: {
      rows: 0,
      startNs: empty,
      endNs: empty,
      name: empty,
      pid: empty,
      tid: empty,
      correlation: empty,
    },
    counters: [],
    missing: [
      'operating-system calls: CUPTI does not see them',
      ...(ranges.rows === 0 ? ['NVTX ranges: none came (built without NVTX, or a profiler took them)'] : []),
      ...(lost > 0
        ? [
            `${recording?.dropped} records and ${recording?.refused_buffers} buffers had no room: the timeline has gaps`,
          ]
        : []),
    ],
    diagnostics:
      cost.length === 0
        ? []
        : [`recording cost, iteration time with it to without, measured after the run: ${cost.join(', ')}`],
  };
}

const known = (value: number | undefined): number =>
  value === undefined || value === absentInt32 ? Number.NaN : value;

class Names {
  readonly all: string[] = [];
  private readonly index = new Map<string, number>();
  indexOf(name: string): number {
    const found = this.index.get(name) ?? this.all.length;
    if (found === this.all.length) {
      this.all.push(name);
      this.index.set(name, found);
    }
    return found;
  }
}

interface ColumnSet<Name extends string = string> {
  readonly rows: number;
  push(row: Readonly<Record<Name, number>>): void;
  of(name: Name): Float64Array;
}

/** Columns that grow together. Rows come sorted by start, as the run wrote them. */
function columns<const Name extends string>(wanted: readonly Name[]): ColumnSet<Name> {
  const grown = new Map(wanted.map((name) => [name, new GrowingColumn()] as const));
  const finished = new Map<Name, Float64Array>();
  let rows = 0;
  return {
    get rows() {
      return rows;
    },
    push(row) {
      rows += 1;
      for (const name of wanted) grown.get(name)?.push(row[name]);
    },
    of(name) {
      const known = finished.get(name) ?? grown.get(name)?.finish() ?? new Float64Array(0);
      finished.set(name, known);
      return known;
    },
  };
}
