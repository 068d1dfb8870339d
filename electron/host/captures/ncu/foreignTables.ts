/** Tables of other tools that end up where an Nsight Compute CSV is expected: what each is, and the way to go from there. */
interface ForeignTable {
  readonly what: string;
  readonly hint: string;
  readonly isHeader: (names: readonly string[]) => boolean;
}

const has = (names: readonly string[], ...all: readonly string[]): boolean =>
  all.every((name) => names.includes(name));

const tables: readonly ForeignTable[] = [
  {
    what: 'the summary of nvprof, a table of totals',
    hint: 'nvprof sees no GPU newer than Volta: record a timeline with nsys profile, counters with ncu --set roofline',
    isHeader: (names) => has(names, 'type', 'time(%)', 'calls', 'avg', 'name'),
  },
  {
    what: 'a GPU trace of nvprof',
    hint: 'nvprof sees no GPU newer than Volta: record a timeline with nsys profile and open its .nsys-rep',
    isHeader: (names) => has(names, 'start', 'duration', 'grid x', 'name'),
  },
  {
    what: 'a table of nsys stats: totals without times',
    hint: 'open the .nsys-rep itself, its .sqlite (nsys export --type sqlite REPORT.nsys-rep), or a table with times: nsys stats --format csv --report cuda_gpu_trace,cuda_api_trace,nvtx_pushpop_trace REPORT.nsys-rep',
    isHeader: (names) =>
      names.some((name) => /^total time \((ns|us|ms|s)\)$/.test(name)) || has(names, 'range'),
  },
  {
    what: 'a table of rocprof (AMD)',
    hint: 'its counters have other meanings than Nsight Compute\u2019s; for a timeline, write rocprofv3 --output-format pftrace or json and open that',
    isHeader: (names) =>
      has(names, 'kernelname', 'gpu-id') ||
      has(names, 'name', 'calls', 'totaldurationns') ||
      has(names, 'kernel_name', 'agent_id') ||
      has(names, 'kernel_name', 'counter_name', 'counter_value'),
  },
  {
    what: 'a table of PyTorch\u2019s profiler',
    hint: 'export the trace instead, with prof.export_chrome_trace("trace.json"), and open that',
    isHeader: (names) => names.some((name) => name === 'self cuda %' || name === 'self cpu %'),
  },
];

/** Which other tool a row of names belongs to. */
export function foreignTable(
  row: readonly string[],
): { readonly what: string; readonly hint: string } | undefined {
  const names = row.map((name) =>
    name
      .replace(/^\ufeff/, '')
      .trim()
      .toLowerCase(),
  );
  return tables.find(({ isHeader }) => isHeader(names));
}
