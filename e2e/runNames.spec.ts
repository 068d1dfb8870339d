// Runs of one workload are told apart by what differs between them, by name and by colour.
import { pictures, pointsOf, view } from './steps.ts';
import { expect, test } from './support/test.ts';

const target = 'labs/dynamic_router:dynamic_router';

test('two published policies are named by their routers, everywhere', async ({ dyno, cli }) => {
  const { page } = dyno;
  for (const router of ['sglang_cache_aware', 'llm_d']) {
    const sets = ['--set', `router=${router}`, '--set', 'requests=400'];
    expect((await cli(['run', target, '--variant', 'policy', ...sets])).status).toBe(0);
  }
  expect((await cli(['run', target, '--variant', 'baseline', '--set', 'requests=400'])).status).toBe(0);
  await view(dyno, 'History');
  const table = page.getByTestId('history');
  await expect(table).toHaveAttribute('data-runs', '3');
  await expect(table).toContainText('SGLang');
  await expect(table).toContainText('llm-d');
  await pictures(dyno, 'history-names');
  for (const router of ['SGLang', 'llm-d'])
    await table.locator('tr[data-run]', { hasText: router }).getByRole('checkbox').check();
  await page.getByRole('main').getByRole('button', { name: 'Compare', exact: true }).click();
  await expect(page.getByTestId('verdict')).toBeVisible({ timeout: 20_000 });
  await expect(page.getByRole('combobox', { name: 'Baseline' })).toHaveValue(/SGLang/);
  await expect(page.getByRole('combobox', { name: 'Optimized' })).toHaveValue(/llm-d/);
  const swatches = await page
    .getByTestId('chart-instances')
    .locator('figcaption [style*="background"]')
    .evaluateAll((marks) => marks.map((mark) => getComputedStyle(mark).backgroundColor));
  expect(new Set(swatches).size).toBe(2);
  await expect(page.getByTestId('chart-compare-ttft')).toContainText('SGLang');
  await pictures(dyno, 'compare-names');
  // A third beside the two: a column with its change, a line of its own style; taken off again.
  await page.getByRole('combobox', { name: 'Add a run' }).click();
  await page.getByRole('option', { name: /baseline/ }).click();
  const pinned = page.getByTestId('pinned-table');
  await expect(pinned).toHaveAttribute('data-columns', '3');
  await expect(pinned.getByRole('row', { name: /TTFT p95/ })).toContainText(/[▲▼·] [+−]/);
  await expect(pinned).not.toContainText('…', { timeout: 20_000 });
  // A chart is drawn where it can be seen.
  await page.getByTestId('chart-cdf').scrollIntoViewIfNeeded();
  await expect.poll(() => pointsOf(dyno, 'cdf')).toBeGreaterThan(1000);
  await pinned.scrollIntoViewIfNeeded();
  await pictures(dyno, 'compare-three');
  await pinned.getByRole('button', { name: /^Take .* off$/ }).click();
  await expect(pinned).toHaveCount(0);
  await view(dyno, 'Roofline');
  await page.getByRole('combobox', { name: 'Points of a run' }).click();
  await expect(page.getByRole('option', { name: /SGLang/ })).toBeVisible();
});
