import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { text as readText } from 'node:stream/consumers';
import fc from 'fast-check';
import { Database } from 'node-sqlite3-wasm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CaptureError } from '../captureError.ts';
import { writeCaptureTrace } from '../trace/captureTrace.ts';
import { commonTime, deviceActivity, length, timeAtLeastTwo, union } from './activity.ts';
import { compareKernels } from './compareCaptures.ts';
import { importNsysSqlite } from './nsysImport.ts';
import { scrubEnvironment } from './scrubEnvironment.ts';
import { kernelsByRange, summariseCopies, summariseNames } from './summaries.ts';
import { rowDensity, timelineRows } from './timelineRows.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'dyno-nsys-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const tid = (pid: number, thread: number) => (1n << 48n) | (BigInt(pid) << 24n) | BigInt(thread);

/**
 * A small export, drawn as events. 2026 names unless `old`.
 *
 *     thread 11 of 10   |--------------- step ----------------|            0..1000
 *                          |-- attention --|    |--- mlp ---|             100..400, 500..900
 *     launches               1 (120..130)        2 (510..530)   3 (1100..1110)
 *     GPU 0, stream 7           |== 200..600 ==|  |= 650..850 =|      |= 1120..1200 =|
 *     GPU 0, stream 8                      copy 550..700
 */
function makeExport(
  name: string,
  options: { readonly old?: boolean; readonly change?: (db: Database) => void } = {},
): string {
  const path = join(folder, name);
  rmSync(path, { force: true });
  const db = new Database(path);
  const meta = options.old ? 'EXPORT_META_DATA' : 'META_DATA_EXPORT';
  db.exec(`
    CREATE TABLE ${meta} (name TEXT, value TEXT);
    INSERT INTO ${meta} VALUES ('EXPORT_PRODUCT_VERSION', '${options.old ? '2022.4.2.1' : '2026.4.1.2'}'), ('EXPORT_SCHEMA_VERSION', '3.2.1');
    CREATE TABLE StringIds (id INTEGER NOT NULL PRIMARY KEY, value TEXT NOT NULL);
    INSERT INTO StringIds VALUES (1,'void gemm<float>(int)'),(2,'ncclDevKernel_AllReduce'),(3,'cudaLaunchKernel'),(4,'mlp'),(5,'gemm');
    CREATE TABLE CUPTI_ACTIVITY_KIND_KERNEL (start INTEGER, end INTEGER, deviceId INTEGER, streamId INTEGER, correlationId INTEGER,
      globalPid INTEGER, demangledName INTEGER, shortName INTEGER, gridX INTEGER, gridY INTEGER, gridZ INTEGER,
      blockX INTEGER, blockY INTEGER, blockZ INTEGER, registersPerThread INTEGER ${options.old ? '' : ', greenContextId INTEGER, clusterX INTEGER'});
    CREATE TABLE CUPTI_ACTIVITY_KIND_RUNTIME (start INTEGER, end INTEGER, globalTid INTEGER, correlationId INTEGER, nameId INTEGER);
    CREATE TABLE NVTX_EVENTS (start INTEGER, end INTEGER, eventType INTEGER, text TEXT, textId INTEGER, globalTid INTEGER);
    CREATE TABLE CUPTI_ACTIVITY_KIND_MEMCPY (start INTEGER, end INTEGER, deviceId INTEGER, streamId INTEGER, bytes INTEGER, copyKind INTEGER);
  `);
  const kernel = db.prepare(
    'INSERT INTO CUPTI_ACTIVITY_KIND_KERNEL (start,end,deviceId,streamId,correlationId,globalPid,demangledName,gridX,gridY,gridZ,blockX,blockY,blockZ,registersPerThread) VALUES (?,?,0,7,?,?,?,2,1,1,64,1,1,32)',
  );
  const pid = tid(10, 0);
  kernel.run([1120, 1200, 3, pid, 2]);
  kernel.run([200, 600, 1, pid, 1]);
  kernel.run([650, 850, 2, pid, 1]);
  kernel.finalize();
  for (const [start, end, id] of [
    [120, 130, 1],
    [510, 530, 2],
    [1100, 1110, 3],
  ] as const) {
    db.run('INSERT INTO CUPTI_ACTIVITY_KIND_RUNTIME VALUES (?,?,?,?,3)', [start, end, tid(10, 11), id]);
  }
  for (const [start, end, text, id] of [
    [100, 400, 'attention', null],
    [500, 900, null, 4],
    [0, 1000, 'step', null],
  ] as const) {
    db.run('INSERT INTO NVTX_EVENTS VALUES (?,?,59,?,?,?)', [start, end, text, id, tid(10, 11)]);
  }
  db.run('INSERT INTO NVTX_EVENTS VALUES (42,NULL,34,?,NULL,?)', ['mark', tid(10, 11)]);
  db.run('INSERT INTO CUPTI_ACTIVITY_KIND_MEMCPY VALUES (550,700,0,8,1500,1)');
  options.change?.(db);
  db.close();
  return path;
}

describe('a drawn export', () => {
  it.each([false, true])(
    'kernels belong to the innermost range around their launch (2022 names: %s)',
    async (old) => {
      const report = await importNsysSqlite(makeExport('drawn.sqlite', { old }));
      expect(report.tool.version).toBe(old ? '2022.4.2.1' : '2026.4.1.2');
      expect(kernelsByRange(report)).toEqual([
        { range: 'attention', kernel: 'void gemm<float>(int)', count: 1, gpuNs: 400, meanQueueNs: 70 },
        { range: 'mlp', kernel: 'void gemm<float>(int)', count: 1, gpuNs: 200, meanQueueNs: 120 },
        { kernel: 'ncclDevKernel_AllReduce', count: 1, gpuNs: 80, meanQueueNs: 10 },
      ]);
      expect([...report.ranges.depth]).toEqual([0, 0, 1, 1]);
      expect(report.missing.some((line) => line.includes('clusterX'))).toBe(old);
    },
  );

  it('activity: busy, idle by cause, copies behind kernels', async () => {
    const [gpu] = deviceActivity(await importNsysSqlite(makeExport('drawn.sqlite')));
    expect(gpu).toMatchObject({ startNs: 200, endNs: 1200, busyNs: 680, idleNs: 320, concurrentKernels: 0 });
    // 600→650: launched at 510, before the GPU fell idle; 850→1120: launched at 1100
    expect(gpu?.idleByCause).toEqual({ host: 270, kernel: 50, other: 0, unknown: 0 });
    expect(gpu?.bubbles[0]).toMatchObject({ startNs: 850, endNs: 1120, cause: 'host' });
    // The copy runs 550..700; kernels cover 550..600 and 650..700
    expect(gpu?.copiesHidden).toBeCloseTo(100 / 150, 12);
    expect(gpu?.communicationHidden).toBe(0);
  });

  it('tables and timeline', async () => {
    const report = await importNsysSqlite(makeExport('drawn.sqlite'));
    expect(summariseNames(report.kernels, report.names)[0]).toEqual({
      name: 'void gemm<float>(int)',
      count: 2,
      totalNs: 600,
      share: 600 / 680,
      minNs: 200,
      medianNs: 300,
      maxNs: 400,
    });
    expect(summariseCopies(report)).toEqual([
      { kind: 'host to device', count: 1, bytes: 1500, totalNs: 150, bytesPerSec: 1e10 },
    ]);
    const rows = timelineRows(report);
    expect(rows.map((row) => row.label)).toEqual([
      'thread 11 of 10 · NVTX 0',
      'thread 11 of 10 · NVTX 1',
      'thread 11 of 10 · CUDA calls',
      'GPU 0 · stream 7 · kernels',
      'GPU 0 · stream 8 · copies',
    ]);
    const kernels = rows[3];
    if (kernels === undefined) throw new Error('no kernel row');
    // 1,200 ns in six pixels of 200
    expect([...rowDensity(kernels, 0, 1200, 6)]).toEqual([0, 1, 1, 0.75, 0.25, 0.4]);
    // Seen from afar a short kernel keeps a share above zero
    expect(rowDensity(kernels, 0, 1e9, 10)[0]).toBeGreaterThan(0);
  });

  it('two captures kernel by kernel', async () => {
    const baseline = await importNsysSqlite(makeExport('a.sqlite'));
    const optimized = await importNsysSqlite(
      makeExport('b.sqlite', {
        change: (db) =>
          db.exec(
            'UPDATE CUPTI_ACTIVITY_KIND_KERNEL SET end = start + 100 WHERE demangledName = 1; DELETE FROM CUPTI_ACTIVITY_KIND_KERNEL WHERE demangledName = 2',
          ),
      }),
    );
    expect(compareKernels(baseline, optimized)).toMatchObject([
      { name: 'void gemm<float>(int)', totalDifferenceNs: -400, medianRatio: 100 / 300 },
      { name: 'ncclDevKernel_AllReduce', totalDifferenceNs: -80, baseline: { count: 1 } },
    ]);
  });

  it('names what is absent, and reads what is there', async () => {
    const bare = await importNsysSqlite(
      makeExport('bare.sqlite', {
        change: (db) =>
          db.exec(
            'DROP TABLE NVTX_EVENTS; DROP TABLE CUPTI_ACTIVITY_KIND_RUNTIME; DROP TABLE CUPTI_ACTIVITY_KIND_MEMCPY; DROP TABLE META_DATA_EXPORT',
          ),
      }),
    );
    expect(bare.kernels.rows).toBe(3);
    expect([...bare.kernels.range]).toEqual([-1, -1, -1]);
    expect(deviceActivity(bare)[0]?.idleByCause.unknown).toBe(320);
    for (const table of [
      'NVTX_EVENTS',
      'CUPTI_ACTIVITY_KIND_RUNTIME',
      'CUPTI_ACTIVITY_KIND_MEMCPY',
      'META_DATA_EXPORT',
    ]) {
      expect(bare.missing.some((line) => line.startsWith(table))).toBe(true);
    }
  });

  it('GPU metrics join on both ids; the GPU is the low byte of the type', async () => {
    const report = await importNsysSqlite(
      makeExport('metrics.sqlite', {
        change: (db) =>
          db.exec(`CREATE TABLE TARGET_INFO_GPU_METRICS (typeId INTEGER, metricId INTEGER, metricName TEXT);
            CREATE TABLE GPU_METRICS (timestamp INTEGER, typeId INTEGER, metricId INTEGER, value INTEGER);
            INSERT INTO TARGET_INFO_GPU_METRICS VALUES (281474976710913, 1, 'SMs Active [%]'), (281474976710912, 1, 'DRAM Read [%]');
            INSERT INTO GPU_METRICS VALUES (100, 281474976710913, 1, 50), (200, 281474976710913, 1, 60), (100, 281474976710912, 1, 7)`),
      }),
    );
    expect(report.counters.map((c) => [c.device, c.metric, [...c.value]])).toEqual([
      [1, 'SMs Active [%]', [50, 60]],
      [0, 'DRAM Read [%]', [7]],
    ]);
  });

  it('an SQLite file of another program, and a kernel table without times, are refused in one line', async () => {
    const other = join(folder, 'other.sqlite');
    const db = new Database(other);
    db.exec('CREATE TABLE people (name TEXT)');
    db.close();
    await expect(importNsysSqlite(other)).rejects.toThrow('not an export of Nsight Systems');
    const strange = makeExport('strange.sqlite', {
      change: (one) => one.exec('ALTER TABLE CUPTI_ACTIVITY_KIND_KERNEL RENAME COLUMN end TO finish'),
    });
    await expect(importNsysSqlite(strange)).rejects.toThrow('table CUPTI_ACTIVITY_KIND_KERNEL lacks end');
  });

  it('scrubbing leaves no variable in the file, and the figures as they were', async () => {
    const secret = 'TOKEN=s3cr3t-value';
    const path = makeExport('env.sqlite', {
      change: (db) => {
        db.exec(
          'CREATE TABLE TARGET_INFO_SYSTEM_ENV (name TEXT, value TEXT); CREATE TABLE ProcessStreams (filenameId INTEGER, contentId INTEGER)',
        );
        db.run("INSERT INTO TARGET_INFO_SYSTEM_ENV VALUES ('DeviceEnvironment', ?)", [
          `A=1 ${secret} `.repeat(900),
        ]);
        db.run('INSERT INTO StringIds VALUES (90, ?), (91, ?)', [
          `HOME=/root\u0001${secret}`,
          `printed: ${secret}`,
        ]);
        db.run('INSERT INTO ProcessStreams VALUES (1, 91)');
        // A row that grew leaves its old bytes in the page.
        db.run('INSERT INTO StringIds VALUES (92, ?)', [`OLD=${secret}`]);
        db.run('DELETE FROM StringIds WHERE id = 92');
      },
    });
    expect(readFileSync(path).includes('s3cr3t')).toBe(true);
    const before = kernelsByRange(await importNsysSqlite(path));
    expect((await scrubEnvironment(path)).valuesErased).toBe(3);
    expect(readFileSync(path).includes('s3cr3t')).toBe(false);
    expect(kernelsByRange(await importNsysSqlite(path))).toEqual(before);
    const db = new Database(path, { readOnly: true });
    expect(db.get('PRAGMA integrity_check')).toEqual({ integrity_check: 'ok' });
    db.close();
  });
});

it('random damage to an export ends in a report or a CaptureError, soon', async () => {
  const original = readFileSync(makeExport('whole.sqlite'));
  const path = join(folder, 'fuzz.sqlite');
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.nat(original.length - 1), fc.nat(255)), { minLength: 1, maxLength: 80 }),
      async (changes) => {
        const bytes = Buffer.from(original);
        for (const [at, value] of changes) bytes[at] = value;
        writeFileSync(path, bytes);
        const started = performance.now();
        try {
          const report = await importNsysSqlite(path);
          deviceActivity(report);
          kernelsByRange(report);
          summariseNames(report.ranges, report.names);
          for (const row of timelineRows(report)) rowDensity(row, 0, 2000, 100);
        } catch (error) {
          expect(error).toBeInstanceOf(CaptureError);
        }
        expect(performance.now() - started).toBeLessThan(5_000);
      },
    ),
    { numRuns: 300 },
  );
}, 60_000);

describe('intervals, against counting every nanosecond', () => {
  const intervals = fc.array(fc.tuple(fc.nat(60), fc.nat(12)), { maxLength: 14 }).map((pairs) => {
    const sorted = pairs
      .map(([start, size]) => [start, start + size] as const)
      .sort((a, b) => a[0] - b[0] || a[1] - b[1]);
    return { startNs: Float64Array.from(sorted, (p) => p[0]), endNs: Float64Array.from(sorted, (p) => p[1]) };
  });
  const running = (one: { startNs: Float64Array; endNs: Float64Array }, t: number) =>
    one.startNs.reduce((n, start, i) => n + (start <= t && t < (one.endNs[i] ?? 0) ? 1 : 0), 0);
  const ticks = Array.from({ length: 80 }, (_, t) => t);

  it('union, overlap and concurrency', () => {
    fc.assert(
      fc.property(intervals, intervals, (a, b) => {
        expect(length(union(a))).toBe(ticks.filter((t) => running(a, t) > 0).length);
        expect(commonTime(union(a), union(b))).toBe(
          ticks.filter((t) => running(a, t) > 0 && running(b, t) > 0).length,
        );
        expect(timeAtLeastTwo(a)).toBe(ticks.filter((t) => running(a, t) > 1).length);
      }),
      { numRuns: 500 },
    );
  });
});

const data = process.env['DYNO_DATA'] ?? '';
const nsys = (() => {
  try {
    return execFileSync('nsys', ['--version'], { encoding: 'utf8' }).trim();
  } catch {
    return '';
  }
})();

describe.skipIf(data === '' || nsys === '')('the real capture of an H200 (needs nsys and DYNO_DATA)', () => {
  it('gives the figures that SQL gives: 23 kernels, 17,850,198 ns busy, 37,377 ns idle, 20 of them in the range', async () => {
    const report = join(folder, 'h200.nsys-rep');
    copyFileSync(join(data, 'nsight/h200-saxpy.nsys-rep'), report);
    const sqlite = join(folder, 'h200.sqlite');
    execFileSync('nsys', [
      'export',
      '--type=sqlite',
      '--quiet=true',
      '--force-overwrite=true',
      `--output=${sqlite}`,
      report,
    ]);
    const imported = await importNsysSqlite(sqlite);
    expect(imported.kernels.rows).toBe(23);
    expect(deviceActivity(imported)[0]).toMatchObject({ busyNs: 17_850_198, idleNs: 37_377 });
    expect(kernelsByRange(imported).map((row) => [row.range, row.kernel, row.count, row.gpuNs])).toEqual([
      ['saxpy-loop', 'saxpy', 20, 15_533_463],
      [undefined, 'saxpy', 3, 2_316_735],
    ]);
    expect(imported.gpus[0]).toMatchObject({
      name: 'NVIDIA H200',
      chip: 'GH100',
      smCount: 132,
      memoryBytesPerSec: 4_814_304_000_000,
    });
    expect(imported.startUtcNs).toBe('1795248813744804344');

    const sink = new PassThrough();
    const [text, { events }] = await Promise.all([
      readText(sink),
      writeCaptureTrace(sink, imported, 'saxpy').finally(() => sink.end()),
    ]);
    const trace = JSON.parse(text) as {
      readonly traceEvents: readonly { readonly ph: string; readonly cat?: string }[];
    };
    expect(trace.traceEvents).toHaveLength(events);
    expect(trace.traceEvents.filter((e) => e.ph === 'X' && e.cat === 'kernel')).toHaveLength(23);
    expect(trace.traceEvents.filter((e) => e.ph === 's')).toHaveLength(23);

    expect(readFileSync(sqlite).includes('PATH=')).toBe(true);
    await scrubEnvironment(sqlite);
    expect(readFileSync(sqlite).includes('PATH=')).toBe(false);
    expect((await importNsysSqlite(sqlite)).kernels.rows).toBe(23);
  });
});
