import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import type { RunInfo } from '../../contract/protocol.ts';
import { IndexFile, type IndexLine } from './indexFile.ts';

const runs = mkdtempSync(join(tmpdir(), 'dyno-index-'));
afterEach(() => rmSync(join(runs, '.index.json'), { force: true }));

const lineOf = (run: string, rate: number): readonly [string, IndexLine] => {
  const info = {
    ...{
      run,
      group: run,
      target: 't',
      title: 'T',
      variant: 'v',
      kind: 'serving',
      engine: 'sim',
      status: 'done',
    },
    ...{ started: '2026-01-01T00:00:00Z', headline: {}, settings: { rate_rps: rate, router: 'score' } },
    ...{ tags: [], note: '', folder: join(runs, run), bytes: 5 },
  } satisfies RunInfo;
  return [run, { stamp: `1/${run}`, info, isOpen: false }];
};
const lines = [
  lineOf('a', 1),
  lineOf('b', 2),
  lineOf('c', 1),
  ['d', { stamp: '1/d', reason: 'damaged' }],
] as const;

async function saved(): Promise<string> {
  const file = new IndexFile(runs);
  file.note();
  await file.save(() => lines);
  return join(runs, '.index.json');
}

it('gives back the lines that were saved; equal settings are written once', async () => {
  const path = await saved();
  expect(await new IndexFile(runs).load()).toEqual(lines);
  expect(readFileSync(path, 'utf8').match(/router/g)).toHaveLength(2);
  // Saved again from what was loaded.
  const again = new IndexFile(runs);
  const loaded = await again.load();
  again.note();
  await again.save(() => [...loaded, lineOf('e', 2)]);
  expect(await new IndexFile(runs).load()).toEqual([...lines, lineOf('e', 2)]);
  expect(readFileSync(path, 'utf8').match(/router/g)).toHaveLength(2);
});

it('gives nothing where the file is torn, changed, of another version or absent', async () => {
  expect(await new IndexFile(runs).load()).toEqual([]);
  const path = await saved();
  const text = readFileSync(path, 'utf8');
  writeFileSync(path, text.replace('"rate_rps":2', '"rate_rps":3'));
  expect(await new IndexFile(runs).load()).toEqual([]);
  writeFileSync(path, text.replace('"version":4', '"version":3'));
  expect(await new IndexFile(runs).load()).toEqual([]);
  writeFileSync(path, text);
  truncateSync(path, text.length - 10);
  expect(await new IndexFile(runs).load()).toEqual([]);
});
