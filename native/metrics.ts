// The registry of telemetry metrics. The position in this list is the number in a sample's `metric` column; the addon's own
// list (nvml/metric.h) is held to it by a test. New metrics go at the end.

export type MetricUnit = '%' | 'bytes' | 'bytes/s' | 'W' | 'J' | '°C' | 'MHz' | 'bits' | 'count';
/** What one value stands for: the moment it was read, the mean since the GPU's last sample, or a counter since driver start. */
export type MetricKind = 'instant' | 'mean' | 'counter';

export interface Metric {
  readonly id: MetricId;
  readonly name: string;
  readonly unit: MetricUnit;
  readonly kind: MetricKind;
  readonly definition: string;
  /** Where the value comes from, best first; `describe()` says which one a given GPU uses. */
  readonly source: string;
  /** Axis limits that hold on every card; absent where they depend on the card. */
  readonly range?: readonly [number, number];
}

const percent = [0, 100] as const;
const gpm = (number: number) => `NVML GPM metric ${number} (Hopper and newer)`;
const mean = (id: MetricId, name: string, definition: string, number: number): Metric => ({
  id,
  name,
  unit: '%',
  kind: 'mean',
  definition,
  source: gpm(number),
  range: percent,
});

export const metricIds = [
  'kernelResident',
  'memoryBusy',
  'smUtilisation',
  'smOccupancy',
  'tensorActivity',
  'hmmaActivity',
  'immaActivity',
  'dfmaActivity',
  'fp64Activity',
  'fp32Activity',
  'fp16Activity',
  'integerActivity',
  'dramBandwidth',
  'graphicsActivity',
  'memoryUsed',
  'memoryFree',
  'memoryReserved',
  'pcieTx',
  'pcieRx',
  'nvlinkTx',
  'nvlinkRx',
  'power',
  'powerAverage',
  'powerLimit',
  'energy',
  'temperature',
  'memoryTemperature',
  'smClock',
  'memoryClock',
  'throttleReasons',
  'eccCorrected',
  'eccUncorrected',
  'remappedRows',
  'dramRead',
  'dramWrite',
  'l2Traffic',
  'instructionIssue',
] as const;
export type MetricId = (typeof metricIds)[number];

const byId: Record<MetricId, Metric> = {
  kernelResident: {
    id: 'kernelResident',
    name: 'Kernel resident',
    unit: '%',
    kind: 'mean',
    definition:
      'Share of the driver’s last window (1/6 to 1 s) in which at least one kernel was on the GPU. One block on one SM counts as 100 %: not SM use.',
    source: 'nvmlDeviceGetUtilizationRates',
    range: percent,
  },
  memoryBusy: {
    id: 'memoryBusy',
    name: 'Memory busy',
    unit: '%',
    kind: 'mean',
    definition:
      'Share of the driver’s last window in which device memory was read or written at all: not bandwidth.',
    source: 'nvmlDeviceGetUtilizationRates',
    range: percent,
  },
  smUtilisation: mean(
    'smUtilisation',
    'SM utilisation',
    'Mean share of SMs that had at least one warp, over the interval since the last sample.',
    2,
  ),
  smOccupancy: mean('smOccupancy', 'SM occupancy', 'Resident warps over the most that the SMs can hold.', 3),
  tensorActivity: mean(
    'tensorActivity',
    'Tensor pipe',
    'Share of SM cycles in which any tensor pipe was active (FP8 counts here; it has no metric of its own).',
    5,
  ),
  hmmaActivity: mean(
    'hmmaActivity',
    'Tensor pipe, FP16/BF16/FP8',
    'Share of SM cycles in which the HMMA tensor pipe was active.',
    7,
  ),
  immaActivity: mean(
    'immaActivity',
    'Tensor pipe, integer',
    'Share of SM cycles in which the IMMA tensor pipe was active.',
    9,
  ),
  dfmaActivity: mean(
    'dfmaActivity',
    'Tensor pipe, FP64',
    'Share of SM cycles in which the DFMA tensor pipe was active.',
    6,
  ),
  fp64Activity: mean('fp64Activity', 'FP64 pipe', 'Share of SM cycles with non-tensor FP64 arithmetic.', 11),
  fp32Activity: mean('fp32Activity', 'FP32 pipe', 'Share of SM cycles with non-tensor FP32 arithmetic.', 12),
  fp16Activity: mean('fp16Activity', 'FP16 pipe', 'Share of SM cycles with non-tensor FP16 arithmetic.', 13),
  integerActivity: mean('integerActivity', 'Integer pipe', 'Share of SM cycles with integer arithmetic.', 4),
  dramBandwidth: mean(
    'dramBandwidth',
    'DRAM bandwidth',
    'Bytes read and written over the most the memory could move in that time (theoretical peak, not a measured ceiling).',
    10,
  ),
  graphicsActivity: mean(
    'graphicsActivity',
    'Engine active',
    'Share of time in which any compute or graphics work was active.',
    1,
  ),
  memoryUsed: {
    id: 'memoryUsed',
    name: 'Memory used',
    unit: 'bytes',
    kind: 'instant',
    definition:
      'Device memory allocated, without the driver’s own reserve where the driver tells them apart.',
    source: 'nvmlDeviceGetMemoryInfo_v2, then v1',
  },
  memoryFree: {
    id: 'memoryFree',
    name: 'Memory free',
    unit: 'bytes',
    kind: 'instant',
    definition: 'Device memory that can still be allocated.',
    source: 'nvmlDeviceGetMemoryInfo_v2, then v1',
  },
  memoryReserved: {
    id: 'memoryReserved',
    name: 'Memory reserved',
    unit: 'bytes',
    kind: 'instant',
    definition: 'Device memory that the driver and firmware keep.',
    source: 'nvmlDeviceGetMemoryInfo_v2',
  },
  pcieTx: {
    id: 'pcieTx',
    name: 'PCIe, from GPU',
    unit: 'bytes/s',
    kind: 'mean',
    definition: 'Traffic from the GPU over PCIe, mean since the last sample.',
    source: `${gpm(20)}, then NVML field 197, then the 20 ms nvmlDeviceGetPcieThroughput when asked for`,
  },
  pcieRx: {
    id: 'pcieRx',
    name: 'PCIe, to GPU',
    unit: 'bytes/s',
    kind: 'mean',
    definition: 'Traffic to the GPU over PCIe, mean since the last sample.',
    source: `${gpm(21)}, then NVML field 198, then the 20 ms nvmlDeviceGetPcieThroughput when asked for`,
  },
  nvlinkTx: {
    id: 'nvlinkTx',
    name: 'NVLink, from GPU',
    unit: 'bytes/s',
    kind: 'mean',
    definition: 'Data sent over all NVLinks, mean since the last sample.',
    source: `${gpm(61)}, then NVML fields 138 or 202`,
  },
  nvlinkRx: {
    id: 'nvlinkRx',
    name: 'NVLink, to GPU',
    unit: 'bytes/s',
    kind: 'mean',
    definition: 'Data received over all NVLinks, mean since the last sample.',
    source: `${gpm(60)}, then NVML fields 139 or 204`,
  },
  power: {
    id: 'power',
    name: 'Power',
    unit: 'W',
    kind: 'instant',
    definition:
      'Board power now. Where only nvmlDeviceGetPowerUsage answers it is a 1 s mean (Ampere and newer, GA100 excepted).',
    source: 'NVML field 186, then nvmlDeviceGetPowerUsage',
  },
  powerAverage: {
    id: 'powerAverage',
    name: 'Power, 1 s mean',
    unit: 'W',
    kind: 'mean',
    definition: 'Board power averaged by the driver over 1 s.',
    source: 'NVML field 185',
  },
  powerLimit: {
    id: 'powerLimit',
    name: 'Power limit',
    unit: 'W',
    kind: 'instant',
    definition: 'The limit that the driver enforces now.',
    source: 'nvmlDeviceGetEnforcedPowerLimit',
  },
  energy: {
    id: 'energy',
    name: 'Energy',
    unit: 'J',
    kind: 'counter',
    definition: 'Energy since the driver was loaded: take the difference over a run.',
    source: 'nvmlDeviceGetTotalEnergyConsumption, once a second',
  },
  temperature: {
    id: 'temperature',
    name: 'Temperature',
    unit: '°C',
    kind: 'instant',
    definition: 'GPU core temperature.',
    source: 'nvmlDeviceGetTemperatureV, then nvmlDeviceGetTemperature',
  },
  memoryTemperature: {
    id: 'memoryTemperature',
    name: 'Memory temperature',
    unit: '°C',
    kind: 'instant',
    definition: 'HBM temperature.',
    source: 'NVML field 82',
  },
  smClock: {
    id: 'smClock',
    name: 'SM clock',
    unit: 'MHz',
    kind: 'instant',
    definition: 'The SMs’ clock now.',
    source: 'nvmlDeviceGetClockInfo',
  },
  memoryClock: {
    id: 'memoryClock',
    name: 'Memory clock',
    unit: 'MHz',
    kind: 'instant',
    definition: 'The device memory’s clock now.',
    source: 'nvmlDeviceGetClockInfo',
  },
  throttleReasons: {
    id: 'throttleReasons',
    name: 'Clock limits',
    unit: 'bits',
    kind: 'instant',
    definition: 'Why the clock is not higher, one bit a reason: throttleReasonNames().',
    source: 'nvmlDeviceGetCurrentClocksEventReasons',
  },
  eccCorrected: {
    id: 'eccCorrected',
    name: 'ECC corrected',
    unit: 'count',
    kind: 'counter',
    definition: 'Memory errors corrected since the driver was loaded.',
    source: 'nvmlDeviceGetTotalEccErrors',
  },
  eccUncorrected: {
    id: 'eccUncorrected',
    name: 'ECC uncorrected',
    unit: 'count',
    kind: 'counter',
    definition: 'Memory errors that could not be corrected since the driver was loaded.',
    source: 'nvmlDeviceGetTotalEccErrors',
  },
  remappedRows: {
    id: 'remappedRows',
    name: 'Remapped rows',
    unit: 'count',
    kind: 'counter',
    definition: 'HBM rows replaced by spares over the card’s life.',
    source: 'nvmlDeviceGetRemappedRows',
  },
  dramRead: {
    id: 'dramRead',
    name: 'DRAM read',
    unit: 'bytes/s',
    kind: 'mean',
    definition: 'Bytes read from device memory, over one high-resolution interval.',
    source: 'CUPTI PM sampling, dram__bytes_read.sum (opt-in)',
  },
  dramWrite: {
    id: 'dramWrite',
    name: 'DRAM write',
    unit: 'bytes/s',
    kind: 'mean',
    definition: 'Bytes written to device memory, over one high-resolution interval.',
    source: 'CUPTI PM sampling, dram__bytes_write.sum (opt-in)',
  },
  l2Traffic: {
    id: 'l2Traffic',
    name: 'L2 traffic',
    unit: 'bytes/s',
    kind: 'mean',
    definition: 'Bytes requested from the L2 cache, over one high-resolution interval.',
    source: 'CUPTI PM sampling, lts__t_bytes.sum (opt-in)',
  },
  instructionIssue: {
    id: 'instructionIssue',
    name: 'Instruction issue',
    unit: '%',
    kind: 'mean',
    definition: 'Warp instructions executed over the most that the SMs could issue.',
    source: 'CUPTI PM sampling, sm__inst_executed_realtime (opt-in)',
    range: percent,
  },
};

export const metrics: readonly Metric[] = metricIds.map((id) => byId[id]);
export const metricOf = (id: MetricId): Metric => byId[id];
export const metricNumber = (id: MetricId): number => metricIds.indexOf(id);

const throttleReasons: readonly (readonly [bit: number, name: string])[] = [
  [0x1, 'idle'],
  [0x2, 'application clocks'],
  [0x4, 'software power cap'],
  [0x8, 'hardware slowdown'],
  [0x10, 'sync boost'],
  [0x20, 'software thermal'],
  [0x40, 'hardware thermal'],
  [0x80, 'power brake'],
  [0x100, 'display clocks'],
];
/** `throttleReasonNames(0x24)` is `['software power cap', 'software thermal']`. */
export function throttleReasonNames(bits: number): string[] {
  return throttleReasons.filter(([bit]) => (bits & bit) !== 0).map(([, name]) => name);
}
