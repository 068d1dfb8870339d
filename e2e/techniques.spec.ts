// Model-side techniques and measured cost models in the window: a lesson's run and its figures, a folder of operator tables.
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { choosePace, runBar, startRun, view } from './steps.ts';
import { expect, test } from './support/test.ts';

test('speculative decoding: the lesson reads, both variants run, the comparison has what drafting did', async ({
  dyno,
}) => {
  const { page } = dyno;
  await choosePace(dyno, 'At full speed');
  await page.getByRole('navigation', { name: 'Catalogue' }).getByText('ch15:speculative_decoding').click();
  await expect(page.getByText('How it is modelled.').first()).toBeVisible();
  await page.getByLabel('Duration', { exact: true }).fill('20');
  await dyno.screenshot('speculation-run');
  await startRun(dyno, 'Run A/B');
  await expect(runBar(dyno)).toHaveAttribute('data-state', 'done', { timeout: 60_000 });
  await view(dyno, 'Compare');
  const figures = page.getByTestId('technique-figures');
  await expect(figures.getByRole('row', { name: /Draft acceptance/ })).toContainText('%', {
    timeout: 20_000,
  });
  await figures.scrollIntoViewIfNeeded();
  await dyno.screenshot('speculation-compare');
});

test('operator tables: the form asks for a folder, and the run is timed by it', async ({ dyno }) => {
  const { page } = dyno;
  const folder = join(mkdtempSync(join(tmpdir(), 'dyno-')), 'tables');
  mkdirSync(folder);
  const attention = ['prefill_chunk,kv_prefill,n_decode,kv_decode,time_us'];
  for (const chunk of [16, 8192])
    for (const kv of [0, 8192]) attention.push(`${chunk},${kv},0,0,${chunk / 16 + kv / 64}`);
  for (const n of [1, 256])
    for (const kv of [16, 8192]) attention.push(`0,0,${n},${kv},${2 + (n * kv) / 4096}`);
  for (const chunk of [16, 8192])
    for (const n of [1, 256]) attention.push(`${chunk},0,${n},1024,${chunk / 16 + n}`);
  writeFileSync(join(folder, 'op-attention.csv'), `${attention.join('\n')}\n`);
  writeFileSync(join(folder, 'op-dense.csv'), 'layer,tokens,time_us\nqkv_proj,1,60\nqkv_proj,8192,9000\n');
  writeFileSync(
    join(folder, 'op-per_sequence.csv'),
    'layer,sequences,time_us\nlm_head,1,300\nlm_head,256,400\n',
  );

  await choosePace(dyno, 'At full speed');
  await page
    .getByRole('navigation', { name: 'Catalogue' })
    .getByText('labs/dynamic_router:dynamic_router')
    .click();
  await page.getByRole('combobox', { name: 'Cost model', exact: true }).click();
  await page.getByRole('option', { name: /^Operator tables/ }).click();
  await expect(page.getByRole('alert').filter({ hasText: 'op-attention.csv' }).first()).toBeVisible();
  await page.getByRole('textbox', { name: 'Operator tables', exact: true }).fill(folder);
  await expect(page.getByRole('alert').filter({ hasText: 'op-attention.csv' })).toHaveCount(0);
  await page.getByLabel('Requests', { exact: true }).fill('300');
  await dyno.screenshot('operator-tables-run');
  await startRun(dyno, 'Run baseline');
  await expect(runBar(dyno)).toHaveAttribute('data-state', 'done', { timeout: 60_000 });
});
