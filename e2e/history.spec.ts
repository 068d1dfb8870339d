// Find a run by its parameters, tag it, run it again with one change, delete, undo.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { pictures, runBar, startRun, view } from './steps.ts';
import { expect, test } from './support/test.ts';

const target = 'labs/dynamic_router:dynamic_router';

test('a run is found by its parameters, tagged, run again with one change, deleted and brought back', async ({
  dyno,
  home,
  cli,
}) => {
  test.slow();
  const { page } = dyno;
  for (const requests of ['200', '300'])
    expect((await cli(['run', target, '--set', `requests=${requests}`, '--seed', '5'])).status).toBe(0);
  await view(dyno, 'History');
  const history = page.getByTestId('history');
  const rows = history.locator('tr[data-run]');
  await expect(rows).toHaveCount(2);
  await expect(history.getByRole('columnheader', { name: 'requests', exact: true })).toBeVisible();
  const filter = page.getByRole('textbox', { name: 'Filter runs' });
  await filter.fill('requests=300 seed=5 ttft_p95>0');
  await expect(rows).toHaveCount(1);
  await filter.fill('requets=300');
  await expect(page.getByTestId('query-problem')).toContainText('no run has "requets"');
  await pictures(dyno, 'history-query');
  await filter.fill('requests=300');

  await history.getByRole('button', { name: /^Actions of/ }).click();
  await page.getByRole('menuitem', { name: 'Tags and note…' }).click();
  await page.getByRole('combobox', { name: 'Tags' }).fill('thesis');
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: 'Save' }).click();
  await filter.fill('tag=thesis');
  await expect(rows).toHaveCount(1);

  await history.getByRole('button', { name: /^Actions of/ }).click();
  await page.getByRole('menuitem', { name: 'Use these settings' }).click();
  await expect(page.getByTestId('frame')).toHaveAttribute('data-view', 'run');
  await expect(page.getByLabel('Requests', { exact: true })).toHaveValue(/^300\b/);
  await page.getByLabel('Requests', { exact: true }).fill('350');
  await startRun(dyno, 'Run baseline');
  await expect(runBar(dyno)).toHaveAttribute('data-state', 'done', { timeout: 40_000 });
  await view(dyno, 'History');
  await filter.fill('requests=350 seed=5');
  await expect(rows).toHaveCount(1);

  const run = (await rows.getAttribute('data-run')) ?? '';
  await history.getByRole('button', { name: /^Actions of/ }).click();
  await page.getByRole('menuitem', { name: 'Delete…' }).click();
  await page.getByRole('button', { name: 'Delete', exact: true }).click();
  await expect(rows).toHaveCount(0);
  expect(existsSync(join(home, 'runs', run))).toBe(false);
  await page.getByRole('button', { name: 'Undo' }).click();
  await expect(rows).toHaveCount(1);
  expect(readdirSync(join(home, 'runs', run))).toContain('manifest.json');
});
