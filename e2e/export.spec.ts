// Exports are written where the dialog said, and read back.
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { answerDialogs, finishedPair, pointsOf, view } from './steps.ts';
import { expect, test } from './support/test.ts';

test('CSV, JSON, Parquet, PNG, SVG, HTML and PDF', async ({ dyno, home }) => {
  const { page } = dyno;
  await finishedPair(dyno);
  await page.keyboard.press('c');
  await expect(page.getByTestId('request-table')).toHaveAttribute('data-rows', '600', { timeout: 20_000 });
  const save = async (item: string, file: string) => {
    const path = join(home, file);
    await answerDialogs(dyno, { save: path });
    await page.getByRole('button', { name: 'Export' }).click();
    await page.getByRole('menuitem', { name: item }).click();
    await expect.poll(() => sizeOf(path), { timeout: 30_000 }).toBeGreaterThan(100);
    return path;
  };

  const csv = readFileSync(await save('Requests as CSV…', 'requests.csv'), 'utf8')
    .trim()
    .split('\n');
  expect(csv).toHaveLength(601);
  expect(csv[0]).toContain('ttft_ms');

  const json: unknown = JSON.parse(readFileSync(await save('Summary as JSON…', 'summary.json'), 'utf8'));
  expect(json).toMatchObject({ variant: 'optimized', requests: { arrived: 600 } });

  const parquet = await save('Requests as Parquet…', 'requests.parquet');
  const duckdb = await (await DuckDBInstance.create(':memory:')).connect();
  const rows = await duckdb.runAndReadAll(
    `select count(*)::integer as n from read_parquet('${parquet.replaceAll("'", "''")}')`,
  );
  expect(rows.getRows()[0]?.[0]).toBe(600);

  const html = readFileSync(await save('Report as HTML…', 'report.html'), 'utf8');
  expect(html).toContain('<svg');
  expect(
    readFileSync(await save('Report as PDF…', 'report.pdf'))
      .subarray(0, 5)
      .toString(),
  ).toBe('%PDF-');

  await expect.poll(() => pointsOf(dyno, 'cdf')).toBeGreaterThan(100);
  const picture = join(home, 'cdf.png');
  await answerDialogs(dyno, { save: picture });
  await page.getByTestId('chart-cdf').hover();
  const saveButton = page.getByTestId('chart-cdf').getByRole('button', { name: /^Save/ });
  await saveButton.click();
  await page.getByRole('menuitem', { name: 'As PNG…' }).click();
  await expect.poll(() => sizeOf(picture)).toBeGreaterThan(5_000);
  const png = readFileSync(picture);
  expect(png.subarray(1, 4).toString()).toBe('PNG');
  const shown = await page.getByTestId('chart-cdf').locator('canvas').first().boundingBox();
  expect(png.readUInt32BE(16)).toBe(Math.round((shown?.width ?? 0) * 2));

  // The same as lines and text: both curves, the title, the mark.
  const drawing = join(home, 'cdf.svg');
  await answerDialogs(dyno, { save: drawing });
  await page.getByTestId('chart-cdf').hover();
  await saveButton.click();
  await page.getByRole('menuitem', { name: 'As SVG…' }).click();
  await expect.poll(() => sizeOf(drawing)).toBeGreaterThan(2_000);
  const svg = readFileSync(drawing, 'utf8');
  expect(svg).toContain('share of requests below</text>');
  expect(svg).toContain('simulated</text>');
  const curves = [...svg.matchAll(/<path d="([^"]*)" fill="none"/g)].filter(([, d = '']) => d.length > 500);
  expect(curves).toHaveLength(2);
});

test('history keeps tags and notes, and deletes after asking', async ({ dyno }) => {
  const { page } = dyno;
  await finishedPair(dyno);
  await view(dyno, 'History');
  const rows = page.getByTestId('history').locator('tr[data-run]');
  await expect(rows).toHaveCount(2);
  await rows
    .first()
    .getByRole('button', { name: /^Actions of/ })
    .click();
  await page.getByRole('menuitem', { name: 'Tags and note…' }).click();
  await page.getByRole('dialog').getByLabel('Note').fill('kept for the thesis');
  await page.getByRole('dialog').getByRole('button', { name: 'Save' }).click();
  await expect(rows.first()).toContainText('kept for the thesis');
  await page.getByLabel('Filter runs').fill('thesis');
  await expect(rows).toHaveCount(1);
  await rows
    .first()
    .getByRole('button', { name: /^Actions of/ })
    .click();
  await page.getByRole('menuitem', { name: 'Delete…' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await page.getByLabel('Filter runs').fill('');
  await expect(rows).toHaveCount(1);
});

const sizeOf = (path: string) => statSync(path, { throwIfNoEntry: false })?.size ?? 0;
