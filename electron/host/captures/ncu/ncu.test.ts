import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { gemmPoint, triadPoint } from '../../../../workloads/roofline/kernels.ts';
import { totalWork } from '../../../../workloads/roofline/point.ts';
import { assess } from '../../../../workloads/roofline/roof.ts';
import { CaptureError } from '../captureError.ts';
import { ImportBudget } from '../importBudget.ts';
import { csvRecords } from './csv.ts';
import { importNcuCsv, readNcuCsv } from './ncuCsv.ts';
import { ceilingsOf, rooflinePoints } from './ncuReport.ts';
import { readNcuReport } from './ncuReportFile.ts';
import { inStyle, readNumber } from './numberStyle.ts';
import { unitFactor } from './units.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'dyno-ncu-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function* chunked(text: string, size = 7): AsyncGenerator<string> {
  for (let at = 0; at < text.length; at += size) yield text.slice(at, at + size);
}
const read = (text: string) => readNcuCsv('report.csv', chunked(text), new ImportBudget('report.csv'));

/** As `ncu --csv --page raw` prints: names, units, one row per launch. */
const raw = `==PROF== Connected to process 4242 (/usr/bin/python3)
"ID","Process ID","Process Name","Host Name","Kernel Name","Context","Stream","Block Size","Grid Size","Device","CC","thread Domain:Push/Pop_Range:PL_Type:PL_Value:CLR_Type:Color:Msg_Type:Msg","dram__bytes_read.sum","gpu__time_duration.sum","launch__func_cache_config","lts__t_bytes.sum","sm__ops_path_tensor_op_hgmma_src_bf16_dst_fp32.sum"
"","","","","","","","","","","","","Mbyte","usecond","","byte",""
"0","4242","python3","127.0.0.1","void gemm<128, 256>(Params, ""x"")","1","7","(128, 1, 1)","(1056, 2, 1)","0","9.0","<default domain>:decode:none:none:none:none:none:none","1,154.5","1.388","CachePreferNone","8,200,000","1,116,691,496,960"
"1","4242","python3","127.0.0.1","copy","1","7","(32, 1, 1)","(8, 1, 1)","0","9.0","","2","5.5","CachePreferNone","(!) n/a","0"
`;

describe('CSV of --page raw', () => {
  it('reads names, units, ranges and scaled values', async () => {
    const report = await read(raw);
    const [gemm, copy] = report.kernels;
    expect(gemm).toMatchObject({
      id: 0,
      name: 'void gemm<128, 256>(Params, "x")',
      process: 'python3',
      device: 0,
      stream: 7,
      computeCapability: '9.0',
      grid: [1056, 2, 1],
      block: [128, 1, 1],
      ranges: ['decode'],
    });
    expect(gemm?.metrics.get('dram__bytes_read.sum')).toBe(1_154_500_000);
    expect(gemm?.metrics.get('gpu__time_duration.sum')).toBeCloseTo(1388, 9);
    expect(gemm?.texts.get('launch__func_cache_config')).toBe('CachePreferNone');
    expect(copy?.metrics.has('lts__t_bytes.sum')).toBe(false);
    expect(copy?.ranges).toEqual([]);
    const [point] = rooflinePoints(report);
    expect(point).toMatchObject({
      source: 'captured',
      work: { bf16: 1_116_691_496_960 },
      bytes: { hbm: 1_154_500_000, l2: 8_200_000 },
    });
    expect(point?.threads).toBe(1056 * 2 * 128);
    expect(report.missing.map((line) => line.split(':')[0])).toEqual([
      'l1tex__t_bytes',
      'smsp__sass_thread_inst_executed_op_*',
    ]);
  });

  it('does not care where the text is cut into chunks', async () => {
    const whole = await read(raw);
    for (const size of [1, 2, 64, 5000]) {
      const again = await readNcuCsv(
        'report.csv',
        chunked(raw.replaceAll('\n', '\r\n'), size),
        new ImportBudget('report.csv'),
      );
      expect(again.kernels.map((k) => [...k.metrics])).toEqual(whole.kernels.map((k) => [...k.metrics]));
    }
  });

  it('reads --page details as well: a row per metric', async () => {
    const long = `"ID","Process ID","Process Name","Host Name","Kernel Name","Kernel Time","Context","Stream","Section Name","Metric Name","Metric Unit","Metric Value"
"0","1","a","h","k","2022-Nov-21 10:00:00","1","7","Speed Of Light","gpu__time_duration.sum","usecond","3.5"
"0","1","a","h","k","2022-Nov-21 10:00:00","1","7","Speed Of Light","dram__bytes_read.sum","Kbyte","2"
"1","1","a","h","k2","2022-Nov-21 10:00:00","1","7","Speed Of Light","gpu__time_duration.sum","nsecond","70"
`;
    const report = await read(long);
    expect(report.kernels.map((k) => [k.name, [...k.metrics.values()]])).toEqual([
      ['k', [3500, 2000]],
      ['k2', [70]],
    ]);
  });

  it.each([
    ['byte', 1],
    ['Kbyte', 1e3],
    ['Gbyte/second', 1e9],
    ['byte/ns', 1e9],
    ['Gbyte/s', 1e9],
    ['nsecond', 1],
    ['ms', 1e6],
    ['second', 1e9],
    ['cycle/nsecond', 1e9],
    ['Ghz', 1e9],
    ['GHz', 1e9],
    ['cycle/second', 1],
    ['inst/cycle', 1],
    ['register/thread', 1],
    ['%', 1],
    ['', 1],
    ['furlong', undefined],
  ])('unit %s', (unit, factor) => {
    expect(unitFactor(unit)).toBe(factor);
  });

  it.each([
    ['1,234,567.5', { value: 1_234_567.5, shows: 'point' }],
    ['1.234.567,5', { value: 1_234_567.5, shows: 'comma' }],
    ['1\u202f234,5', { value: 1234.5, shows: 'comma' }],
    ["1'234.5", { value: 1234.5, shows: 'point' }],
    ['20,25', { value: 20.25, shows: 'comma' }],
    ['1,000,000', { value: 1e6, shows: 'point' }],
    ['1,500', { ambiguous: '1,500' }],
    ['0.125', { value: 0.125, shows: 'point' }],
    ['42', { value: 42 }],
    ['-3e+05', { value: -300_000 }],
    ['0x10', { value: 16 }],
    ['12 (1; 2; 9)', { value: 12 }],
    ['1,2,3', undefined],
    ['nan', undefined],
    ['inf', undefined],
    ['', undefined],
    ['CachePreferNone', undefined],
  ])('number %s', (text, read) => {
    expect(readNumber(text)).toEqual(read);
  });

  it('any number is read back in the style in which it was printed', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 10 ** 12 }), fc.integer({ min: 0, max: 99 }), (whole, part) => {
        for (const [language, style] of [
          ['en', 'point'],
          ['de', 'comma'],
        ] as const) {
          const value = whole + part / 100;
          const text = value.toLocaleString(language, { minimumFractionDigits: 2, maximumFractionDigits: 2 });
          expect(readNumber(text)).toEqual({
            value: Number(`${whole}.${String(part).padStart(2, '0')}`),
            shows: style,
          });
          const count = readNumber(whole.toLocaleString(language));
          if (count !== undefined && 'ambiguous' in count)
            expect(inStyle(count.ambiguous, style)).toBe(whole);
          else expect(count?.value).toBe(whole);
        }
      }),
    );
  });

  it('one clear line for what is no such CSV', async () => {
    await expect(read('')).rejects.toThrow('is not an Nsight Compute CSV');
    await expect(read('a,b,c\n1,2,3\n')).rejects.toThrow('no header with "ID" and "Kernel Name"');
    await expect(read(raw.slice(0, -40))).rejects.toThrow(/cut off/);
    expect((await read(`${raw}"x","y"\n`)).notUnderstood).toBe(1);
    await expect(
      readNcuCsv('report.csv', chunked('x'.repeat(17 * 2 ** 20), 1 << 18), new ImportBudget('report.csv')),
    ).rejects.toThrow('longer than');
    await expect(importNcuCsv(join(folder, 'nowhere.csv'))).rejects.toThrow('cannot be opened');
    const path = join(folder, 'empty.csv');
    writeFileSync(path, '');
    await expect(importNcuCsv(path)).rejects.toThrow('is empty');
  });

  it('random text and random damage end in a report or a CaptureError', async () => {
    const survives = async (text: string) => {
      try {
        await read(text);
      } catch (error) {
        expect(error).toBeInstanceOf(CaptureError);
      }
    };
    await fc.assert(fc.asyncProperty(fc.string({ maxLength: 300 }), survives), { numRuns: 300 });
    await fc.assert(
      fc.asyncProperty(fc.nat(raw.length), fc.nat(raw.length), fc.string({ maxLength: 5 }), (from, to, put) =>
        survives(raw.slice(0, Math.min(from, to)) + put + raw.slice(Math.max(from, to))),
      ),
      { numRuns: 300 },
    );
  });

  it('quotes, doubled quotes, line breaks inside a field', async () => {
    const rows: string[][] = [];
    for await (const row of csvRecords('x', chunked('a,"b,""c""\nd",\r\n\n"","e"', 2))) rows.push(row);
    expect(rows).toEqual([
      ['a', 'b,"c"\nd', ''],
      ['', 'e'],
    ]);
  });
});

const data = process.env['DYNO_DATA'] ?? '';
describe.skipIf(data === '')('the real report of an H200 (needs DYNO_DATA)', () => {
  const sample = join(data, 'nsight/h200-saxpy.ncu-rep');

  it('is read without ncu: two launches whose work and bytes are those of a triad within 1 %', async () => {
    const report = await readNcuReport(sample);
    expect(report.card).toBe('NVIDIA H200');
    expect(report.kernels.map((k) => [k.name, k.grid, k.block, k.computeCapability, k.metrics.size])).toEqual(
      [
        ['saxpy', [1056, 1, 1], [512, 1, 1], '9.0', 1298],
        ['saxpy', [1056, 1, 1], [512, 1, 1], '9.0', 1298],
      ],
    );
    // y = a·x + y over 2²⁸ floats
    const analytic = triadPoint(2 ** 28);
    const ceilings = ceilingsOf(report);
    for (const point of rooflinePoints(report)) {
      expect(Math.abs(totalWork(point) / totalWork(analytic) - 1)).toBeLessThan(0.0001);
      expect(Math.abs((point.bytes.hbm ?? Number.NaN) / (analytic.bytes.hbm ?? Number.NaN) - 1)).toBeLessThan(
        0.01,
      );
      const assessed = ceilings === undefined ? undefined : assess(point, ceilings);
      expect(assessed?.bound).toMatchObject({ kind: 'memory', level: 'hbm' });
      expect(assessed?.efficiency).toBeCloseTo(0.87, 2);
    }
  });

  it('cut off or damaged it ends in one clear line, never in a crash or a hang', async () => {
    const whole = readFileSync(sample);
    const path = join(folder, 'fuzz.ncu-rep');
    const outcome = async (bytes: Uint8Array): Promise<string> => {
      writeFileSync(path, bytes);
      try {
        await readNcuReport(path, { limits: { bytes: 1e8, rows: 1e5, milliseconds: 10_000 } });
        return 'read';
      } catch (error) {
        expect(error).toBeInstanceOf(CaptureError);
        return error instanceof CaptureError ? error.message : '';
      }
    };
    expect(await outcome(new Uint8Array(0))).toContain('is empty');
    expect(await outcome(Buffer.from('NVR'))).toContain('is not an Nsight Compute report');
    expect(await outcome(Buffer.alloc(100, 65))).toContain('is not an Nsight Compute report');
    expect(await outcome(whole.subarray(0, 100_000))).toContain('is cut off');
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 40 }),
        fc.nat(5000),
        async (changes, early) => {
          const bytes = Buffer.from(whole);
          for (const [at, value] of changes) bytes[at] = value;
          // The first bytes hold sizes and the string table: damage there reaches furthest.
          bytes[early] = (bytes[early] ?? 0) ^ 0xff;
          expect(typeof (await outcome(bytes))).toBe('string');
        },
      ),
      { numRuns: 60 },
    );
  }, 60_000);
});

// What ncu 2025.3.1 wrote on an H200 of three launches of a bf16 product, 128 × 8,192 × 8,192 (docs/measurements/2026-11-21-captures-h200).
describe('a real CSV of ncu 2025.3', () => {
  const measured = join(import.meta.dirname, '../../../../docs/measurements/2026-11-21-captures-h200');

  it.each(['ncu-decode-optimized.csv', 'ncu-decode-optimized-scaled.csv'])(
    '%s: operations as by formula, bytes within 5 %%, whatever its units',
    async (name) => {
      const report = await importNcuCsv(join(measured, name));
      const points = rooflinePoints(report);
      expect(points).toHaveLength(3);
      const formula = gemmPoint(8192, 128, 8192, 'bf16', 2);
      for (const point of points) {
        expect(point.label).toContain('nvjet_sm90_tst_64x128');
        // Scaled units keep a few digits only.
        expect(totalWork(point) / totalWork(formula)).toBeCloseTo(1, 3);
        expect(
          Math.abs((point.bytes.hbm ?? Number.NaN) / (formula.bytes.hbm ?? Number.NaN) - 1),
        ).toBeLessThan(0.05);
        expect(point.timeNs).toBeGreaterThan(39_000);
        expect(point.timeNs).toBeLessThan(41_000);
      }
      expect(ceilingsOf(report)?.memory.hbm?.value).toBeCloseTo(4.81e12, -11);
    },
  );
});
