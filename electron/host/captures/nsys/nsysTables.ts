import type { SqliteTable } from '../sqlite/sqliteFile.ts';

/**
 * Tables of an nsys export, found by name, else by shape: versions put suffixes on names (`NVTX_EVENTS_V2`) or rename them. The
 * columns listed are those that no other table has together.
 */
const shapes: Readonly<Record<string, readonly string[]>> = {
  NVTX_EVENTS: ['start', 'eventType', 'globalTid', 'domainId'],
  CUPTI_ACTIVITY_KIND_KERNEL: ['start', 'end', 'deviceId', 'gridX', 'blockX'],
  CUPTI_ACTIVITY_KIND_RUNTIME: ['start', 'end', 'globalTid', 'correlationId', 'nameId', 'returnValue'],
  CUPTI_ACTIVITY_KIND_MEMCPY: ['start', 'end', 'bytes', 'copyKind'],
  CUPTI_ACTIVITY_KIND_MEMSET: ['start', 'end', 'bytes', 'memKind', 'value'],
  CUPTI_ACTIVITY_KIND_GRAPH_TRACE: ['start', 'end', 'deviceId', 'graphExecId'],
  GPU_METRICS: ['timestamp', 'typeId', 'metricId', 'value'],
  TARGET_INFO_GPU_METRICS: ['typeId', 'metricId', 'metricName'],
  TARGET_INFO_CUDA_DEVICE: ['gpuId', 'cudaId', 'pid'],
  TARGET_INFO_GPU: ['id', 'name', 'smCount', 'memoryBandwidth'],
};

export function findTable(tables: ReadonlyMap<string, SqliteTable>, name: string): SqliteTable | undefined {
  const exact = tables.get(name);
  if (exact !== undefined) return exact;
  const all = [...tables.values()];
  const suffixed = all.filter((table) => /^_?v?\d[\w.]*$/i.test(suffixOf(table.name, name)));
  const shape = shapes[name];
  const shaped =
    shape === undefined
      ? []
      : all.filter((table) => shape.every((column) => table.columns.some((c) => c.name === column)));
  const both = suffixed.filter((table) => shape === undefined || shaped.includes(table));
  // The newest version, where there are several.
  const candidates = both.length > 0 ? both : suffixed.length > 0 ? suffixed : shaped;
  return candidates.toSorted((a, b) => (a.name < b.name ? 1 : -1))[0];
}

const suffixOf = (table: string, name: string): string =>
  table.toUpperCase().startsWith(name.toUpperCase()) ? table.slice(name.length) : '';
