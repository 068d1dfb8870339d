import type { Bytes, BytesPerSec, FlopPerSec } from '../units.ts';

/**
 * GPU data sheets. Peaks are dense (a vendor's "with sparsity" figure halved) and per GPU; NVLink counts both
 * directions together, as vendors do. Memory is what the driver reports (nvidia-smi), which is what an engine can
 * allocate from, not the number on the box. A precision that the tensor cores lack is absent.
 */
export interface Gpu {
  readonly id: string;
  readonly label: string;
  readonly architecture: 'ampere' | 'ada' | 'hopper' | 'blackwell';
  readonly memoryBytes: Bytes;
  readonly memoryBandwidth: BytesPerSec;
  readonly peak: {
    readonly fp32: FlopPerSec;
    readonly tf32: FlopPerSec;
    readonly bf16: FlopPerSec;
    readonly fp8?: FlopPerSec;
    readonly int8: FlopPerSec;
    readonly fp4?: FlopPerSec;
  };
  readonly nvlink?: BytesPerSec;
  readonly pcie: BytesPerSec;
  readonly tdpW: number;
  readonly sms: number;
  readonly source: string;
}

const tera = 1e12;
const giga = 1e9;
const mebi = 1048576;

export const gpus: readonly Gpu[] = [
  {
    id: 'a100-40gb-sxm',
    label: 'A100 40 GB SXM',
    architecture: 'ampere',
    memoryBytes: 40536 * mebi,
    memoryBandwidth: 1555 * giga,
    peak: { fp32: 19.5 * tera, tf32: 156 * tera, bf16: 312 * tera, int8: 624 * tera },
    nvlink: 600 * giga,
    pcie: 64 * giga,
    tdpW: 400,
    sms: 108,
    source: 'NVIDIA A100 Tensor Core GPU data sheet, nvidia-1758950 (2021)',
  },
  {
    id: 'a100-80gb-sxm',
    label: 'A100 80 GB SXM',
    architecture: 'ampere',
    memoryBytes: 81920 * mebi,
    memoryBandwidth: 2039 * giga,
    peak: { fp32: 19.5 * tera, tf32: 156 * tera, bf16: 312 * tera, int8: 624 * tera },
    nvlink: 600 * giga,
    pcie: 64 * giga,
    tdpW: 400,
    sms: 108,
    source: 'NVIDIA A100 Tensor Core GPU data sheet, nvidia-1758950 (2021)',
  },
  {
    id: 'a10',
    label: 'A10',
    architecture: 'ampere',
    memoryBytes: 23028 * mebi,
    memoryBandwidth: 600 * giga,
    peak: { fp32: 31.2 * tera, tf32: 62.5 * tera, bf16: 125 * tera, int8: 250 * tera },
    pcie: 64 * giga,
    tdpW: 150,
    sms: 72,
    source: 'NVIDIA A10 Tensor Core GPU data sheet (2021)',
  },
  {
    id: 'l4',
    label: 'L4',
    architecture: 'ada',
    memoryBytes: 23034 * mebi,
    memoryBandwidth: 300 * giga,
    peak: { fp32: 30.3 * tera, tf32: 60 * tera, bf16: 121 * tera, fp8: 242.5 * tera, int8: 242.5 * tera },
    pcie: 64 * giga,
    tdpW: 72,
    sms: 58,
    source: 'NVIDIA L4 Tensor Core GPU data sheet (2023); its tensor figures are with sparsity, halved here',
  },
  {
    id: 'l40s',
    label: 'L40S',
    architecture: 'ada',
    memoryBytes: 46068 * mebi,
    memoryBandwidth: 864 * giga,
    peak: { fp32: 91.6 * tera, tf32: 183 * tera, bf16: 362.05 * tera, fp8: 733 * tera, int8: 733 * tera },
    pcie: 64 * giga,
    tdpW: 350,
    sms: 142,
    source: 'NVIDIA L40S data sheet (2023)',
  },
  {
    id: 'rtx-4090',
    label: 'GeForce RTX 4090',
    architecture: 'ada',
    memoryBytes: 24564 * mebi,
    memoryBandwidth: 1008 * giga,
    peak: { fp32: 82.6 * tera, tf32: 82.6 * tera, bf16: 165.2 * tera, fp8: 330.3 * tera, int8: 660.6 * tera },
    pcie: 64 * giga,
    tdpW: 450,
    sms: 128,
    source: 'NVIDIA Ada GPU architecture white paper v2.1, appendix A (FP16 and FP8 with FP32 accumulation)',
  },
  {
    id: 'h100-pcie',
    label: 'H100 PCIe',
    architecture: 'hopper',
    memoryBytes: 81559 * mebi,
    memoryBandwidth: 2039 * giga,
    peak: { fp32: 51.2 * tera, tf32: 378 * tera, bf16: 756 * tera, fp8: 1513 * tera, int8: 1513 * tera },
    nvlink: 600 * giga,
    pcie: 128 * giga,
    tdpW: 350,
    sms: 114,
    source: 'NVIDIA H100 Tensor Core GPU architecture white paper v1.04, table 2',
  },
  {
    id: 'h100-sxm',
    label: 'H100 SXM',
    architecture: 'hopper',
    memoryBytes: 81559 * mebi,
    memoryBandwidth: 3352 * giga,
    peak: {
      fp32: 66.9 * tera,
      tf32: 494.7 * tera,
      bf16: 989.4 * tera,
      fp8: 1978.9 * tera,
      int8: 1978.9 * tera,
    },
    nvlink: 900 * giga,
    pcie: 128 * giga,
    tdpW: 700,
    sms: 132,
    source: 'NVIDIA H100 Tensor Core GPU architecture white paper v1.04, table 2',
  },
  {
    id: 'h20',
    label: 'H20',
    architecture: 'hopper',
    memoryBytes: 97871 * mebi,
    memoryBandwidth: 4000 * giga,
    peak: { fp32: 44 * tera, tf32: 74 * tera, bf16: 148 * tera, fp8: 296 * tera, int8: 296 * tera },
    nvlink: 900 * giga,
    pcie: 128 * giga,
    tdpW: 400,
    sms: 78,
    source: 'NVIDIA H20 product brief, as printed by resellers (2024)',
  },
  {
    id: 'h200',
    label: 'H200 SXM',
    architecture: 'hopper',
    memoryBytes: 143771 * mebi,
    memoryBandwidth: 4800 * giga,
    peak: {
      fp32: 66.9 * tera,
      tf32: 494.7 * tera,
      bf16: 989.4 * tera,
      fp8: 1978.9 * tera,
      int8: 1978.9 * tera,
    },
    nvlink: 900 * giga,
    pcie: 128 * giga,
    tdpW: 700,
    sms: 132,
    source: 'NVIDIA H200 Tensor Core GPU data sheet (2024)',
  },
  {
    id: 'b200',
    label: 'B200 SXM',
    architecture: 'blackwell',
    memoryBytes: 183359 * mebi,
    memoryBandwidth: 8000 * giga,
    peak: {
      fp32: 75 * tera,
      tf32: 1125 * tera,
      bf16: 2250 * tera,
      fp8: 4500 * tera,
      int8: 4500 * tera,
      fp4: 9000 * tera,
    },
    nvlink: 1800 * giga,
    pcie: 128 * giga,
    tdpW: 1000,
    sms: 148,
    source: 'NVIDIA Blackwell architecture technical brief and HGX B200 data sheet, per GPU (2025)',
  },
  {
    id: 'gb200',
    label: 'GB200 (one GPU)',
    architecture: 'blackwell',
    memoryBytes: 189471 * mebi,
    memoryBandwidth: 8000 * giga,
    peak: {
      fp32: 80 * tera,
      tf32: 1250 * tera,
      bf16: 2500 * tera,
      fp8: 5000 * tera,
      int8: 5000 * tera,
      fp4: 10000 * tera,
    },
    nvlink: 1800 * giga,
    pcie: 128 * giga,
    tdpW: 1200,
    sms: 152,
    source: 'NVIDIA GB200 NVL72 data sheet, half of a superchip (2025)',
  },
  {
    id: 'rtx-pro-6000',
    label: 'RTX PRO 6000 Blackwell',
    architecture: 'blackwell',
    memoryBytes: 97887 * mebi,
    memoryBandwidth: 1792 * giga,
    peak: {
      fp32: 125 * tera,
      tf32: 251.9 * tera,
      bf16: 503.8 * tera,
      fp8: 1007.6 * tera,
      int8: 1007.6 * tera,
      fp4: 2015 * tera,
    },
    pcie: 128 * giga,
    tdpW: 600,
    sms: 188,
    source: 'NVIDIA RTX Blackwell PRO GPU architecture white paper v1.0, Workstation Edition',
  },
];

export const findGpu = (id: string): Gpu | undefined => gpus.find((gpu) => gpu.id === id);
