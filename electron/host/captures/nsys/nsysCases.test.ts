import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { importLimits } from '../importBudget.ts';
import { deviceActivity } from './activity.ts';
import { importNsysSqlite } from './nsysImport.ts';
import { kernelsByRange, summariseNames, withoutIds } from './summaries.ts';

const data = process.env['DYNO_DATA'] ?? '';
const folder = join(data, 'cases/nsys');
const temporary = mkdtempSync(join(tmpdir(), 'dyno-nsys-cases-'));
afterAll(() => rmSync(temporary, { recursive: true, force: true }));
const read = (file: string) => importNsysSqlite(join(folder, file));

const hasXz = (() => {
  try {
    execFileSync('xz', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

it.each([
  ['aten::view, op_id = 314290', 'aten::view'],
  ['forward (seq = 7)', 'forward'],
  ['step 12', 'step'],
  ['decode_step', 'decode_step'],
  ['layer_3', 'layer'],
  ['gemm_128x128', 'gemm_128x128'],
  ['request_id: 17', 'request_id: 17'],
])('the range %s is grouped as %s', (name, group) => {
  expect(withoutIds(name)).toBe(group);
});

describe.skipIf(data === '' || !existsSync(folder))(
  'exports of nsys as people have them (needs DYNO_DATA)',
  () => {
    it.skipIf(!hasXz)('renamed-nvtx-table.sqlite: 16,782 ranges, grouped without op_id', async () => {
      const path = join(temporary, 'renamed.sqlite');
      const packed = join(folder, 'renamed-nvtx-table.sqlite.xz');
      writeFileSync(path, execFileSync('xz', ['-dc', packed], { maxBuffer: 1 << 28 }));
      const report = await importNsysSqlite(path);
      expect(report.ranges.rows).toBe(16_782);
      expect(report.missing.some((line) => line.startsWith('NVTX_EVENTS'))).toBe(false);
      const groups = summariseNames(report.ranges, report.names);
      expect(groups.length).toBeLessThan(200);
      expect(groups.find(({ name }) => name === 'aten::as_strided')?.count).toBe(2200);
      expect(kernelsByRange(report).some(({ range }) => range?.includes('op_id') === true)).toBe(false);
    });

    it('healthy_1pct.sqlite: 400 kernels, a busy GPU', async () => {
      const report = await read('healthy_1pct.sqlite');
      expect(report.kernels.rows).toBe(400);
      const [gpu] = deviceActivity(report);
      if (gpu === undefined) throw new Error('no GPU was active');
      expect(gpu.busyNs).toBeGreaterThan(0);
      expect(gpu.busyNs + gpu.idleNs).toBe(gpu.endNs - gpu.startNs);
      expect(gpu.idleNs / (gpu.endNs - gpu.startNs)).toBeLessThan(0.02);
    });

    it('a part of a timeline holds the events that touch it, and no others', async () => {
      const { kernels } = await read('negative-duration.sqlite');
      const middle = Math.floor(kernels.rows / 2);
      const part = { fromNs: kernels.startNs[middle] ?? 0, toNs: kernels.endNs[middle + 1] ?? 0 };
      const touching = [...kernels.startNs].filter(
        (start, i) => start <= part.toNs && (kernels.endNs[i] ?? 0) >= part.fromNs,
      );
      expect(touching.length).toBeGreaterThan(1);
      expect(touching.length).toBeLessThan(kernels.rows);
      const some = await importNsysSqlite(join(folder, 'negative-duration.sqlite'), {
        limits: { ...importLimits, part },
      });
      expect([...some.kernels.startNs]).toEqual(touching);
      const none = { ...importLimits, part: { fromNs: 1e15, toNs: 2e15 } };
      expect(
        (await importNsysSqlite(join(folder, 'negative-duration.sqlite'), { limits: none })).kernels.rows,
      ).toBe(0);
    });

    it('negative-duration.sqlite: one kernel ends before it starts; it is dropped, and said', async () => {
      const report = await read('negative-duration.sqlite');
      expect(report.kernels.rows).toBe(19);
      expect(report.missing).toContain(
        '1 rows dropped: CUPTI_ACTIVITY_KIND_KERNEL that end before they start',
      );
    });

    it('two-zero-duration.sqlite: the span is known, the GPU was never busy', async () => {
      const [gpu] = deviceActivity(await read('two-zero-duration.sqlite'));
      expect(gpu).toMatchObject({
        startNs: 0,
        endNs: 202_000_000,
        busyNs: 0,
        idleNs: 202_000_000,
        concurrentKernels: 0,
      });
    });

    it('null-names.sqlite: kernels keep their times', async () => {
      const report = await read('null-names.sqlite');
      expect(report.kernels.rows).toBe(20);
      expect(summariseNames(report.kernels, report.names).every(({ name }) => name !== '')).toBe(true);
    });

    it('wal.sqlite: read alone; a pending log beside it is named', async () => {
      expect((await read('wal.sqlite')).kernels.rows).toBeGreaterThan(0);
      const path = join(temporary, 'wal.sqlite');
      copyFileSync(join(folder, 'wal.sqlite'), path);
      writeFileSync(`${path}-wal`, Buffer.alloc(4152));
      await expect(importNsysSqlite(path)).rejects.toThrow(/4152 bytes of a write-ahead log .*-wal/);
    });
  },
);
