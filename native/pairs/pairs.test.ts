import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { type FakeDriver, fakeDriver } from '../fakeDrivers.ts';
import { openNative } from '../index.ts';
import { continuousBatching, continuousSchedule, staticSteps } from './continuousBatching.ts';
import { copyOverlap } from './copyOverlap.ts';
import { deviceCopy } from './deviceCopy.ts';
import { gemm } from './gemm.ts';
import { fromHalf, toHalf } from './halfFloat.ts';
import { measureWorkload } from './measure.ts';
import { memory } from './memory.ts';
import { routingStatic } from './routingStatic.ts';
import { verify } from './workload.ts';

const folder = join(import.meta.dirname, '..', 'build');
const built = existsSync(join(folder, 'dyno.node'));

const drivers: FakeDriver[] = [];
afterEach(() => {
  for (const driver of drivers.splice(0)) driver.remove();
});

async function opened(lines: readonly string[] = []) {
  const driver = fakeDriver('fake_cuda', lines);
  drivers.push(driver);
  const cublasLt = join(folder, 'fake', 'libfake_cublaslt.so');
  const native = openNative(folder, { libraries: { cuda: driver.path, cublasLt } });
  if (!native.available) throw new Error(native.reason);
  const cuda = await native.openCuda();
  if (!cuda.ok) throw new Error(cuda.error.message);
  writeFileSync(join(driver.folder, 'workloads.fatbin'), 'fake');
  return { native, cuda: cuda.value };
}

const small = {
  memory: { width: 32, rows: 5, batches: 3 },
  batching: { width: 16, hidden: 24, requests: 11, slots: 4, longest: 6 },
  routing: { tokens: 9, experts: 33, width: 16, layers: 3, rows: 4 },
  overlap: { chunks: 5, chunkFloats: 100, steps: 20 },
  copy: { mebibytes: 1 },
  gemm: { rows: 5, inputs: 24, outputs: 17 },
};

describe('schedules', () => {
  it('gives a finished request’s slot to the next one at once', () => {
    // slots 2:  step 0: 0 1   step 1: 0 2   step 2: 3
    expect(continuousSchedule([2, 1, 1, 1], 2)).toEqual([[0, 1], [0, 2], [3]]);
    expect(staticSteps([2, 1, 1, 1], 2)).toEqual([2, 1]);
  });

  it('computes each token once, never more rows than slots, and never more steps than static groups', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 40 }),
        fc.integer({ min: 1, max: 8 }),
        (lengths, slots) => {
          const steps = continuousSchedule(lengths, slots);
          const counts = lengths.map((_, request) => steps.filter((rows) => rows.includes(request)).length);
          expect(counts).toEqual(lengths);
          expect(Math.max(...steps.map((rows) => rows.length))).toBeLessThanOrEqual(slots);
          expect(steps.length).toBeLessThanOrEqual(staticSteps(lengths, slots).reduce((a, b) => a + b, 0));
        },
      ),
    );
  });
});

describe('half precision', () => {
  it.each([
    [0, 0x0000],
    [1, 0x3c00],
    [-2, 0xc000],
    [65504, 0x7bff],
    [65536, 0x7c00],
    [2 ** -24, 0x0001],
    [1 + 2 ** -11, 0x3c00], // a tie goes to the even one
    [1 + 3 * 2 ** -11, 0x3c02],
  ])('%d is %i', (value, bits) => {
    expect(toHalf(value)).toBe(bits);
  });

  it('comes back from every half', () => {
    for (let bits = 0; bits < 0x7c00; bits++) expect(toHalf(fromHalf(bits))).toBe(bits);
  });
});

describe('verification', () => {
  it('judges all elements against the root mean square, and NaN as wrong', () => {
    const reference = [{ name: 'y', values: Float64Array.of(3, 4, 0) }];
    const rules = { y: { kind: 'relative', limit: 0.01 } } as const;
    const check = (values: number[]) =>
      verify([{ name: 'y', values: Float32Array.from(values) }], reference, rules)[0]?.ok;
    expect(check([3, 4, 0.001])).toBe(true);
    expect(check([3, 4, 0.1])).toBe(false);
    expect(check([3, Number.NaN, 0])).toBe(false);
    expect(check([3, 4])).toBe(false);
  });
});

describe.skipIf(!built || !existsSync(join(folder, 'kernels', 'workloads.fatbin')))(
  'workloads through the addon, on the fake driver',
  () => {
    const run = async (lines: readonly string[] = []) => {
      const { native, cuda } = await opened(lines);
      const context = cuda.context(0);
      const environment = native.workloadEnvironment(context);
      const short = { iterations: 2, warmUp: 1 };
      const results = [
        measureWorkload(environment, memory, { ...short, parameters: small.memory }),
        measureWorkload(environment, continuousBatching, { ...short, parameters: small.batching }),
        measureWorkload(environment, routingStatic, { ...short, parameters: small.routing }),
        measureWorkload(environment, copyOverlap, { ...short, parameters: small.overlap }),
        measureWorkload(environment, deviceCopy, { ...short, parameters: small.copy }),
        measureWorkload(environment, gemm, { ...short, parameters: small.gemm }),
      ];
      context.free();
      return { results, leaks: cuda.close() };
    };

    it('verifies every variant over all elements, and leaks nothing', async () => {
      const { results, leaks } = await run();
      for (const { id, variants } of results) {
        for (const { variant, verification } of variants) {
          for (const each of verification) expect(each, `${id} ${variant}`).toMatchObject({ ok: true });
        }
      }
      expect(leaks).toEqual({ handles: 0, bytes: 0, byKind: {}, failedReleases: 0 });
    });

    it('notices one wrong element', async () => {
      const { results } = await run([
        'wrong linearTile',
        'wrong linearRows',
        'wrong linearRowsHalf',
        'wrong relaxTowardsOne',
        'wrong copyVectors',
      ]);
      expect(results.map(({ id, verified }) => [id, verified])).toEqual(results.map(({ id }) => [id, false]));
    });
  },
);
