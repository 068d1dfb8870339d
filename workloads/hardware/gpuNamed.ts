import { type Gpu, gpus } from './gpus.ts';

/** Words of a driver's name that pick a data sheet; the first that matches. `NVIDIA H100 80GB HBM3` is the SXM card. */
const names: readonly (readonly [RegExp, string])[] = [
  [/\bGB200\b/, 'gb200'],
  [/\bB200\b/, 'b200'],
  [/\bH200\b(?! NVL)/, 'h200'],
  [/\bH100 PCIe\b/, 'h100-pcie'],
  [/\bH100 (80GB HBM3|SXM)/, 'h100-sxm'],
  [/\bH20\b/, 'h20'],
  [/\bA100-SXM4-40GB\b/, 'a100-40gb-sxm'],
  [/\bA100-SXM4-80GB\b/, 'a100-80gb-sxm'],
  [/\bA10\b/, 'a10'],
  [/\bL40S\b/, 'l40s'],
  [/\bL4\b/, 'l4'],
  [/\bRTX 4090\b(?! D)/, 'rtx-4090'],
  [/\bRTX PRO 6000 Blackwell\b/, 'rtx-pro-6000'],
];

/** The data sheet of a card by the name that its driver gives it; undefined where none is known for sure. */
export function gpuNamed(name: string): Gpu | undefined {
  const id = names.find(([pattern]) => pattern.test(name))?.[1];
  return id === undefined ? undefined : gpus.find((gpu) => gpu.id === id);
}
