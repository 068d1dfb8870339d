/**
 * The details page and --print-summary print labels for people ("Duration", "DRAM Throughput") in place of metric names. Each
 * label with its section and the kind of its unit stands for one metric; names from ncu's own section files (2022.4 … 2025.3).
 * One label may stand for several: "Memory Throughput" is a rate in one section, a percentage in another.
 */
interface Label {
  readonly label: string;
  readonly metric: string;
  /** `rate`: bytes per second; `percent`; else any. */
  readonly unit?: 'percent' | 'rate';
  /** A part of the section's name, where the label stands in several. */
  readonly section?: string;
}

const labels: readonly Label[] = [
  { label: 'Duration', metric: 'gpu__time_duration.sum' },
  { label: 'Elapsed Cycles', metric: 'sm__cycles_elapsed.max' },
  { label: 'SM Active Cycles', metric: 'sm__cycles_active.avg' },
  { label: 'SM Frequency', metric: 'sm__cycles_elapsed.avg.per_second' },
  { label: 'DRAM Frequency', metric: 'dram__cycles_elapsed.avg.per_second' },
  { label: 'Total DRAM Elapsed Cycles', metric: 'dram__cycles_elapsed.sum' },
  {
    label: 'Memory Throughput',
    unit: 'rate',
    metric: 'dram__bytes.sum.per_second',
  },
  {
    label: 'Memory Throughput',
    unit: 'percent',
    metric: 'gpu__compute_memory_throughput.avg.pct_of_peak_sustained_elapsed',
  },
  {
    label: 'Memory [%]',
    unit: 'percent',
    metric: 'gpu__compute_memory_throughput.avg.pct_of_peak_sustained_elapsed',
  },
  { label: 'DRAM Throughput', unit: 'percent', metric: 'dram__throughput.avg.pct_of_peak_sustained_elapsed' },
  { label: 'DRAM Throughput', unit: 'rate', metric: 'dram__bytes.sum.per_second' },
  {
    label: 'Compute (SM) Throughput',
    unit: 'percent',
    metric: 'sm__throughput.avg.pct_of_peak_sustained_elapsed',
  },
  { label: 'Compute (SM) [%]', unit: 'percent', metric: 'sm__throughput.avg.pct_of_peak_sustained_elapsed' },
  { label: 'SOL DRAM', unit: 'percent', metric: 'dram__throughput.avg.pct_of_peak_sustained_elapsed' },
  { label: 'SOL SM', unit: 'percent', metric: 'sm__throughput.avg.pct_of_peak_sustained_elapsed' },
  {
    label: 'L2 Cache Throughput',
    unit: 'percent',
    metric: 'lts__throughput.avg.pct_of_peak_sustained_elapsed',
  },
  {
    label: 'L1/TEX Cache Throughput',
    unit: 'percent',
    metric: 'l1tex__throughput.avg.pct_of_peak_sustained_active',
  },
  { label: 'L1/TEX Hit Rate', unit: 'percent', metric: 'l1tex__t_sector_hit_rate.pct' },
  { label: 'L2 Hit Rate', unit: 'percent', metric: 'lts__t_sector_hit_rate.pct' },
  {
    label: 'Max Bandwidth',
    unit: 'percent',
    metric: 'gpu__compute_memory_request_throughput.avg.pct_of_peak_sustained_elapsed',
  },
  { label: 'Executed Instructions', metric: 'smsp__inst_executed.sum' },
  { label: 'Issued Instructions', metric: 'smsp__inst_issued.sum' },
  { label: 'Executed Ipc Active', metric: 'sm__inst_executed.avg.per_cycle_active' },
  { label: 'Executed Ipc Elapsed', metric: 'sm__inst_executed.avg.per_cycle_elapsed' },
  {
    label: 'Achieved Occupancy',
    unit: 'percent',
    metric: 'sm__warps_active.avg.pct_of_peak_sustained_active',
  },
  { label: 'Theoretical Occupancy', unit: 'percent', metric: 'sm__maximum_warps_per_active_cycle_pct' },
  { label: 'Registers Per Thread', metric: 'launch__registers_per_thread' },
  { label: 'Threads', section: 'Launch', metric: 'launch__thread_count' },
  { label: 'Grid Size', section: 'Launch', metric: 'launch__grid_size' },
  { label: 'Block Size', section: 'Launch', metric: 'launch__block_size' },
  { label: 'Waves Per SM', metric: 'launch__waves_per_multiprocessor' },
  { label: '# SMs', metric: 'device__attribute_multiprocessor_count' },
];

const kindOf = (unit: string): 'percent' | 'rate' | 'other' =>
  unit.trim() === '%'
    ? 'percent'
    : /byte\s*\/\s*(s|ns|us|ms|second|nsecond)$/i.test(unit.trim())
      ? 'rate'
      : 'other';

/** The metric that a label stands for; a label that is not known keeps its name, apart from equal ones of other sections and units. */
export function metricOfLabel(label: string, section: string, unit: string): string {
  // Command-line metrics and tables carry the metric's own name already.
  if (label.includes('__')) return label;
  const kind = kindOf(unit);
  const found = labels.find(
    (each) =>
      each.label === label &&
      (each.unit === undefined || each.unit === kind) &&
      (each.section === undefined || section.includes(each.section)),
  );
  return found?.metric ?? `${section} / ${label}${kind === 'percent' ? ' (%)' : ''}`;
}
