import { fraction, gauge, latency } from './metricKinds.ts';
import type { Metric, MetricUnit } from './registry.ts';

const counter = (id: string, label: string, unit: MetricUnit, definition: string): Metric => ({
  id,
  label,
  unit,
  definition,
  better: 'lower',
  format: 'count',
  kind: 'counter',
  group: 'gpu',
});

const gpuShare = (id: string, label: string, definition: string): Metric =>
  fraction(id, label, 'gpu', 'neutral', definition);
const bytesPerSecond = (id: string, label: string, definition: string): Metric =>
  gauge(id, label, 'bytes/s', 'gpu', 'bytes', 'neutral', definition);

/** GPU telemetry. Shares are fractions 0..1 like everywhere else: a driver's per cent is divided by 100 where it comes in. */
export const gpuMetrics: readonly Metric[] = [
  {
    ...latency('workload_ms', 'Iteration', 'One iteration of the measured work, by the device’s own clock'),
    group: 'gpu',
  },
  gpuShare(
    'kernel_resident',
    'Kernel resident',
    'Share of the driver’s window in which at least one kernel was on the GPU; one block on one SM counts as all of it: not SM use',
  ),
  gpuShare(
    'memory_busy',
    'Memory busy',
    'Share of the driver’s window in which device memory was touched at all: not bandwidth',
  ),
  gpuShare(
    'graphics_util',
    'Engine active',
    'Share of time in which any compute or graphics work was active',
  ),
  gpuShare('sm_util', 'SM use', 'Mean share of SMs that had at least one warp, since the last sample'),
  gpuShare('sm_occupancy', 'SM occupancy', 'Resident warps ÷ the most that the SMs can hold'),
  gpuShare('tensor_util', 'Tensor pipe', 'Share of SM cycles in which any tensor pipe was active'),
  gpuShare(
    'hmma_util',
    'Tensor pipe, FP16/BF16/FP8',
    'Share of SM cycles in which the HMMA tensor pipe was active',
  ),
  gpuShare(
    'imma_util',
    'Tensor pipe, integer',
    'Share of SM cycles in which the IMMA tensor pipe was active',
  ),
  gpuShare('dfma_util', 'Tensor pipe, FP64', 'Share of SM cycles in which the DFMA tensor pipe was active'),
  gpuShare('fp64_util', 'FP64 pipe', 'Share of SM cycles with non-tensor FP64 arithmetic'),
  gpuShare('fp32_util', 'FP32 pipe', 'Share of SM cycles with non-tensor FP32 arithmetic'),
  gpuShare('fp16_util', 'FP16 pipe', 'Share of SM cycles with non-tensor FP16 arithmetic'),
  gpuShare('integer_util', 'Integer pipe', 'Share of SM cycles with integer arithmetic'),
  gpuShare(
    'dram_util',
    'DRAM bandwidth',
    'Bytes read and written ÷ the most that device memory could move in that time (theoretical peak)',
  ),
  gauge('memory_used_bytes', 'Memory used', 'bytes', 'gpu', 'bytes', 'neutral', 'Device memory allocated'),
  gauge(
    'memory_free_bytes',
    'Memory free',
    'bytes',
    'gpu',
    'bytes',
    'neutral',
    'Device memory not allocated',
  ),
  gauge(
    'memory_reserved_bytes',
    'Memory reserved',
    'bytes',
    'gpu',
    'bytes',
    'neutral',
    'Device memory the driver keeps for itself',
  ),
  bytesPerSecond('dram_read_bytes_per_s', 'DRAM read', 'Bytes read from device memory per second'),
  bytesPerSecond('dram_write_bytes_per_s', 'DRAM write', 'Bytes written to device memory per second'),
  bytesPerSecond('l2_bytes_per_s', 'L2 traffic', 'Bytes requested from the L2 cache per second'),
  gpuShare(
    'instruction_issue',
    'Instruction issue',
    'Warp instructions executed ÷ the most that the SMs could issue',
  ),
  bytesPerSecond('pcie_rx_bytes_per_s', 'PCIe received', 'Bytes received over PCIe per second'),
  bytesPerSecond('pcie_tx_bytes_per_s', 'PCIe sent', 'Bytes sent over PCIe per second'),
  bytesPerSecond('nvlink_rx_bytes_per_s', 'NVLink received', 'Bytes received over all NVLinks per second'),
  bytesPerSecond('nvlink_tx_bytes_per_s', 'NVLink sent', 'Bytes sent over all NVLinks per second'),
  gauge('power_w', 'Power', 'W', 'gpu', 'quantity', 'lower', 'Board power at the moment of reading'),
  gauge(
    'power_average_w',
    'Power, average',
    'W',
    'gpu',
    'quantity',
    'lower',
    'Board power averaged by the driver over one second',
  ),
  gauge(
    'power_limit_w',
    'Power limit',
    'W',
    'gpu',
    'quantity',
    'neutral',
    'Board power at which the driver throttles',
  ),
  {
    ...counter('energy_j', 'Energy', 'J', 'Energy used by the board, since the driver was loaded'),
    format: 'quantity',
  },
  gauge('temperature_c', 'Temperature', '°C', 'gpu', 'quantity', 'lower', 'GPU core temperature'),
  gauge(
    'memory_temperature_c',
    'Memory temperature',
    '°C',
    'gpu',
    'quantity',
    'lower',
    'Device memory temperature',
  ),
  gauge(
    'sm_clock_mhz',
    'SM clock',
    'MHz',
    'gpu',
    'quantity',
    'higher',
    'Clock of the SMs at the moment of reading',
  ),
  gauge(
    'memory_clock_mhz',
    'Memory clock',
    'MHz',
    'gpu',
    'quantity',
    'higher',
    'Clock of device memory at the moment of reading',
  ),
  {
    ...counter(
      'throttle_reasons',
      'Throttle reasons',
      'count',
      'Bit set of the driver’s current reasons to hold clocks down; 0 = none',
    ),
    kind: 'gauge',
  },
  counter('ecc_corrected', 'ECC corrected', 'count', 'Memory errors corrected, since the driver was loaded'),
  counter(
    'ecc_uncorrected',
    'ECC uncorrected',
    'count',
    'Memory errors not corrected, since the driver was loaded',
  ),
  counter('remapped_rows', 'Remapped rows', 'count', 'Rows of device memory replaced by spares'),
];
