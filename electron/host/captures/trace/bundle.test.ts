import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { catalog } from '../../../../workloads/catalog/catalog.ts';
import type { TableName } from '../../../../workloads/run/tables.ts';
import { sealByHand, writeTables } from '../../testing/handMadeBundle.ts';
import { simulatedRoofline } from '../simulatedPoints.ts';
import { exportRunTrace } from './exportRunTrace.ts';

// A run bundle of three requests and three passes, written by hand, read by the trace export and the roofline.
let folder = '';
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'dyno-bundle-'));
  const [target] = catalog;
  if (target === undefined) throw new Error('no target');
  const spec = target.spec({ variant: 'baseline', engine: 'sim', parameters: {}, seed: 0, iterations: 1 });
  const manifest = {
    schema: 1,
    run: 'r',
    group: 'g',
    title: 'three requests',
    status: 'done',
    spec,
    started: '2026-11-21T10:00:00Z',
    versions: {},
    hardware: { cpu: 'x', cores: 1, memory_bytes: 1, gpus: [] },
    tags: [],
    note: '',
    files: {},
  };
  writeFileSync(join(folder, 'manifest.json'), JSON.stringify(manifest));
  const write = (table: TableName, columns: string, rows: string) =>
    writeTables(folder, [{ table, columns, rows }]);
  await write(
    'requests',
    'iteration, request, status, arrival_ns, scheduled_ns, first_token_ns, finish_ns',
    `(0, 0, 'completed', 0::BIGINT, 1000::BIGINT, 2000::BIGINT, 9000::BIGINT), (0, 1, 'completed', 500, 2000, 9000, 9000), (0, 2, 'rejected', 600, NULL, NULL, NULL)`,
  );
  await write(
    'iterations',
    'iteration, instance, start_ns, end_ns, passes, prefill_tokens, decode_sequences, context_tokens',
    '(0, 0, 1000::BIGINT, 2000::BIGINT, 1, 100, 0, NULL), (0, 0, 2000, 9000, 3, 0, 1, 100.0), (0, 1, 2000, 9000, 1, 50, 0, 0.0)',
  );
  await sealByHand(folder);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('a bundle goes out as a trace, NULLs left out, a missing table empty', async () => {
  const path = join(folder, 'trace.json');
  const { events, bytes } = await exportRunTrace(folder, path);
  const text = readFileSync(path, 'utf8');
  expect(Buffer.byteLength(text)).toBe(bytes);
  const trace = JSON.parse(text) as {
    readonly traceEvents: readonly { readonly ph: string; readonly name: string; readonly ts?: number }[];
  };
  expect(trace.traceEvents).toHaveLength(events);
  expect(trace.traceEvents.filter((e) => e.ph === 'X').map((e) => [e.name, e.ts])).toEqual([
    ['prefill', 1],
    ['decode', 2],
    ['prefill', 2],
  ]);
  expect(trace.traceEvents.filter((e) => e.ph === 'b').map((e) => e.name)).toEqual([
    'request 0',
    'queue',
    'prefill',
    'decode',
    'request 1',
    'queue',
    'prefill',
    'decode',
    'request 2',
  ]);
});

it('its passes are points of the instance that made them', async () => {
  const { title, points } = await simulatedRoofline(folder);
  expect(title).toBe('three requests · baseline');
  expect(points.map(({ point }) => [point.id, point.timeNs])).toEqual([
    ['instance:0:prefill', 1000],
    ['instance:0:decode', 7000],
    ['instance:1:prefill', 7000],
  ]);
  expect(points.every(({ assessment }) => assessment !== undefined)).toBe(true);
});
