import { beforeAll, describe, expect, test, vi } from 'vitest';
import { attackInside, bundled } from './inside.mjs';
import { attackKills, lossOf } from './kills.mjs';

// The short form of `npm run attack`: it takes under a minute on two cores.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 120_000 });

/** Keeps what failed. */
class Kept {
  readonly lines: string[] = [];
  readonly failed: string[] = [];
  line(what: string, found: string, budget: string, isGood: boolean): void {
    this.lines.push(what);
    if (!isGood) this.failed.push(`${what}: ${found}, expected ${budget}`);
  }
  figure(what: string): void {
    this.lines.push(what);
  }
  note(text: string): void {
    this.failed.push(text);
  }
}

describe('the short attack', () => {
  let programs: { cli: string; runner: string };
  beforeAll(async () => {
    programs = {
      cli: await bundled('electron/cli/main.ts', 'cli.mjs'),
      runner: await bundled('electron/runner/main.ts', 'runner.mjs'),
    };
  });

  // The suite shares its cores with whatever else the machine does: `npm run attack` holds the second itself.
  const mostLostMs = 3_000;

  test.skipIf(process.platform !== 'linux')('kills lose no bundle and no table', async () => {
    const kept = new Kept();
    await attackKills(kept, 3, ['host', 'sealing', 'two at once'], programs, mostLostMs);
    expect(kept.failed).toEqual([]);
    expect(kept.lines).toHaveLength(6);
  });

  test('mutated inputs end in a result or one clear line', async () => {
    const kept = new Kept();
    await attackInside(kept, 'mutate', 450);
    expect(kept.failed).toEqual([]);
    expect(kept.lines.length).toBeGreaterThan(8);
  });
});

describe('what a kill lost', () => {
  const sent = [
    { at: 1000, table: 'requests', rows: 10 },
    { at: 1500, table: 'samples', rows: 5 },
    { at: 2900, table: 'requests', rows: 10 },
  ];
  const kept = (rows: Readonly<Record<string, number>>) => new Map(Object.entries(rows));

  test.each([
    ['everything is there', { requests: 20, samples: 5 }, { lostMs: 0 }],
    ['the last batch is missing', { requests: 10, samples: 5 }, { lostMs: 100 }],
  ])('%s', (_what, rows, found) => {
    expect(lossOf(sent, kept(rows), 3000)).toEqual(found);
  });

  test.each([
    ['a table is missing', { requests: 20 }, 'samples: 0 rows kept, row 5 was sent 1500 ms before the kill'],
    [
      'a row in the middle is missing',
      { requests: 9, samples: 5 },
      'requests: 9 rows kept, row 10 was sent 2000 ms before the kill',
    ],
  ])('%s', (_what, rows, problem) => {
    expect(lossOf(sent, kept(rows), 3000)).toMatchObject({ problem });
  });

  test('a run that sent nothing shows nothing', () => {
    expect(lossOf([], kept({}), 3000)).toMatchObject({ problem: 'the runner sent no row' });
  });
});
