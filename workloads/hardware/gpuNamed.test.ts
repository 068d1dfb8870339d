import { expect, test } from 'vitest';
import { gpuNamed } from './gpuNamed.ts';

test('names as drivers write them', () => {
  const names = [
    'NVIDIA H100 80GB HBM3',
    'NVIDIA H200',
    'NVIDIA H200 NVL',
    'NVIDIA H100 NVL',
    'NVIDIA L4',
    'NVIDIA A100-SXM4-80GB',
  ];
  expect(names.map((name) => gpuNamed(name)?.id)).toEqual([
    'h100-sxm',
    'h200',
    undefined,
    undefined,
    'l4',
    'a100-80gb-sxm',
  ]);
});
