import { expect, test } from 'vitest';
import { RunData } from '../../state/runData.ts';
import { machineNow, sparkText } from './machineNow.ts';

const machine = {
  gpus: [
    { index: 0, name: 'NVIDIA H200', memory_bytes: 141e9 },
    { index: 1, name: 'NVIDIA H200', memory_bytes: 141e9 },
  ],
  cpu: '',
  cores: 16,
  memory_bytes: 1,
  versions: {},
  runs_folder: '',
};

test('fractions as block letters', () => {
  expect(sparkText([0, 0.5, 1, Number.NaN])).toBe('▁▅█ ');
});

test('the machine in one line: means, sums, the hottest; what is not known is left out', () => {
  const data = new RunData('machine');
  const put = (source: string, metric: string, value: number) =>
    data.ensure(source, metric).append(1000, value);
  put('gpu:0', 'sm_util', 1);
  put('gpu:1', 'sm_util', 0.5);
  put('gpu:0', 'memory_used_bytes', 90e9);
  put('gpu:1', 'memory_used_bytes', 8e9);
  put('gpu:0', 'power_w', 400);
  put('gpu:1', 'power_w', 100);
  put('gpu:0', 'temperature_c', 61);
  put('gpu:1', 'temperature_c', 40);
  const line = machineNow(machine, data) ?? '';
  expect(line).toContain('NVIDIA H200 ×2  SM 75');
  expect(line).toContain('98/282 GB  500 W  61 °C');
  expect(line).not.toContain('tensor');
  expect(machineNow(machine, new RunData('machine'))).toBeUndefined();
});
