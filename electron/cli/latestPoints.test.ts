import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { CaptureInfo } from '../contract/protocol.ts';
import { latestPointsOf } from './latestPoints.ts';

let home = '';
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'dyno-latest-'));
  vi.stubEnv('DYNO_HOME', home);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(home, { recursive: true, force: true });
});

function capture(name: string, about: Partial<CaptureInfo>): string {
  const folder = join(home, 'captures', name);
  mkdirSync(folder, { recursive: true });
  const report = join(folder, 'report.csv');
  writeFileSync(report, 'x');
  const info: CaptureInfo = {
    ...{ capture: name, tool: 'ncu', title: name, state: 'done', progress: '', started_ms: 0, elapsed_ms: 1 },
    ...{ command: '', target: 'native:gemm', report, folder, ...about },
  };
  writeFileSync(join(folder, 'listed.json'), JSON.stringify(info));
  return report;
}

it('takes the latest finished ncu report of the target', async () => {
  capture('a', { started_ms: 5 });
  const latest = capture('b', { started_ms: 9 });
  capture('c', { started_ms: 20, target: 'native:copy' });
  capture('d', { started_ms: 21, tool: 'nsys' });
  capture('e', { started_ms: 22, state: 'failed' });
  expect(await latestPointsOf('native:gemm')).toEqual({ kind: 'capture', file: latest, startedMs: 9 });
});

it('says how to make one where there is none', async () => {
  await expect(latestPointsOf('native:gemm')).rejects.toThrow(
    'dyno capture ncu native:gemm (with a GPU) or dyno run native:gemm',
  );
});
