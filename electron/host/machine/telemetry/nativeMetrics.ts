import { type MetricId, metricIds, metricOf } from '../../../../native/index.ts';

/** Names of the addon's metrics in the registry (`workloads/metrics/gpuMetrics.ts`): complete by its type. */
export const registryIds: Readonly<Record<MetricId, string>> = {
  kernelResident: 'kernel_resident',
  memoryBusy: 'memory_busy',
  smUtilisation: 'sm_util',
  smOccupancy: 'sm_occupancy',
  tensorActivity: 'tensor_util',
  hmmaActivity: 'hmma_util',
  immaActivity: 'imma_util',
  dfmaActivity: 'dfma_util',
  fp64Activity: 'fp64_util',
  fp32Activity: 'fp32_util',
  fp16Activity: 'fp16_util',
  integerActivity: 'integer_util',
  dramBandwidth: 'dram_util',
  graphicsActivity: 'graphics_util',
  memoryUsed: 'memory_used_bytes',
  memoryFree: 'memory_free_bytes',
  memoryReserved: 'memory_reserved_bytes',
  pcieTx: 'pcie_tx_bytes_per_s',
  pcieRx: 'pcie_rx_bytes_per_s',
  nvlinkTx: 'nvlink_tx_bytes_per_s',
  nvlinkRx: 'nvlink_rx_bytes_per_s',
  power: 'power_w',
  powerAverage: 'power_average_w',
  powerLimit: 'power_limit_w',
  energy: 'energy_j',
  temperature: 'temperature_c',
  memoryTemperature: 'memory_temperature_c',
  smClock: 'sm_clock_mhz',
  memoryClock: 'memory_clock_mhz',
  throttleReasons: 'throttle_reasons',
  eccCorrected: 'ecc_corrected',
  eccUncorrected: 'ecc_uncorrected',
  remappedRows: 'remapped_rows',
  dramRead: 'dram_read_bytes_per_s',
  dramWrite: 'dram_write_bytes_per_s',
  l2Traffic: 'l2_bytes_per_s',
  instructionIssue: 'instruction_issue',
};

/** By the number in a sample's `metric` column. */
export const metricNames: readonly string[] = metricIds.map((id) => registryIds[id]);

/** The factor that a value is multiplied by on its way in: a driver's per cent become fractions. */
export const metricScales: Float64Array = Float64Array.from(metricIds, (id) =>
  metricOf(id).unit === '%' ? 0.01 : 1,
);
