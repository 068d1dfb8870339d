import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { totalWork } from '../../../../workloads/roofline/point.ts';
import { CaptureError } from '../captureError.ts';
import { importNcuCsv } from './ncuCsv.ts';
import { rooflinePoints } from './ncuReport.ts';

const data = process.env['DYNO_DATA'] ?? '';
const folder = join(data, 'cases/ncu');
const read = (file: string) => importNcuCsv(join(folder, file));
const refusal = async (file: string): Promise<string> => {
  try {
    await read(file);
  } catch (error) {
    if (error instanceof CaptureError) return `${error.message}; ${error.hint ?? ''}`;
    throw error;
  }
  return 'read without complaint';
};
const times = async (file: string) =>
  (await read(file)).kernels.map((k) => k.metrics.get('gpu__time_duration.sum'));

describe.skipIf(data === '' || !existsSync(folder))(
  'tables of ncu as people have them (needs DYNO_DATA)',
  () => {
    it('details-page.csv: one kernel, its labels mapped by section and unit, its short rows read', async () => {
      const { kernels, missing, notUnderstood } = await read('details-page.csv');
      expect(kernels).toHaveLength(1);
      const [kernel] = kernels;
      expect(kernel?.name).toMatch(/^copy_blocked/);
      expect(kernel?.metrics.get('gpu__time_duration.sum')).toBe(21_058_944);
      expect(kernel?.metrics.get('dram__bytes.sum.per_second')).toBeCloseTo(196_456_177_859.63, 1);
      expect(kernel?.metrics.get('gpu__compute_memory_throughput.avg.pct_of_peak_sustained_elapsed')).toBe(
        61.84,
      );
      expect(notUnderstood).toBeUndefined();
      const [point] = rooflinePoints(await read('details-page.csv'));
      expect(point?.timeNs).toBe(21_058_944);
      expect(point?.bytes.hbm).toBeCloseTo(196_456_177_859.63 * 0.021058944, -3);
      expect(missing.some((line) => line.startsWith('dram__bytes') || line.startsWith('gpu__time'))).toBe(
        false,
      );
    });

    it('utf8-bom-crlf.csv and powershell-utf16le.csv: the table as saved on Windows', async () => {
      for (const file of ['utf8-bom-crlf.csv', 'powershell-utf16le.csv']) {
        const { kernels } = await read(file);
        expect(kernels.map(({ name }) => name)).toEqual(['void gemm<128, 64>(float const*, "x")', 'copy']);
        expect(kernels[0]?.metrics.get('dram__bytes_read.sum')).toBe(1_154_500_000);
        expect(kernels[1]?.metrics.get('gpu__time_duration.sum')).toBe(10_500);
      }
    });

    it('good.csv: 33,554,432 FLOP over 201,330,000 bytes', async () => {
      const [point] = rooflinePoints(await read('good.csv'));
      expect(point === undefined ? 0 : totalWork(point)).toBe(33_554_432);
      expect(point?.bytes.hbm).toBeCloseTo(201_330_000, 0);
    });

    it('concat-same-pid.csv and concat-two-exports.csv: four launches each', async () => {
      expect((await read('concat-same-pid.csv')).kernels.map(({ id }) => id)).toEqual([0, 1, 2, 3]);
      expect((await read('concat-two-exports.csv')).kernels).toHaveLength(4);
    });

    it('rtx5070-op_read.csv: 56.6 MB of HBM traffic by the names of Blackwell', async () => {
      const report = await read('rtx5070-op_read.csv');
      expect(rooflinePoints(report)[0]?.bytes.hbm).toBe(53_261_312 + 3_377_920);
      expect(report.missing.some((line) => line.startsWith('dram__bytes'))).toBe(false);
    });

    it('gb10-na.csv: what is not available is absent', async () => {
      const { kernels } = await read('gb10-na.csv');
      expect(await times('gb10-na.csv')).toEqual([211_940, 1_205_000]);
      expect(kernels[0]?.metrics.has('dram__throughput.avg.pct_of_peak_sustained_elapsed')).toBe(false);
    });

    it('german-locale.csv: 10,500 is 10.5 where the file shows that style', async () => {
      expect(await times('german-locale.csv')).toEqual([1500, 10_500]);
      expect((await read('german-locale.csv')).kernels[0]?.metrics.get('dram__bytes_read.sum')).toBe(
        1_154_500_000,
      );
    });

    it('ncu-print-summary.csv: the average of two launches', async () => {
      const { kernels } = await read('ncu-print-summary.csv');
      expect(kernels).toMatchObject([{ name: 'kernel_a', invocations: 2, block: [256, 1, 1] }]);
      expect(await times('ncu-print-summary.csv')).toEqual([2000]);
    });

    it('other tools are named, with the way to go', async () => {
      expect(await refusal('nvprof.csv')).toMatch(/is the summary of nvprof.*nsys profile/);
      expect(await refusal('nsys-cuda_gpu_kern_sum.csv')).toMatch(/nsys stats/);
    });
  },
);
