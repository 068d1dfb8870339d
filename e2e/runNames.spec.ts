// Runs of one workload are told apart by what differs between them, by name and by colour.
import { pictures, view } from './steps.ts';
import { expect, test } from './support/test.ts';

const target = 'labs/dynamic_router:dynamic_router';

test('two published policies are named by their routers, everywhere', async ({ dyno, cli }) => {
  const { page } = dyno;
  for (const router of ['sglang_cache_aware', 'llm_d']) {
    const sets = ['--set', `router=${router}`, '--set', 'requests=400'];
    expect((await cli(['run', target, '--variant', 'policy', ...sets])).status).toBe(0);
  }
  await view(dyno, 'History');
  const table = page.getByTestId('history');
  await expect(table).toHaveAttribute('data-runs', '2');
  await expect(table).toContainText('SGLang');
  await expect(table).toContainText('llm-d');
  await pictures(dyno, 'history-names');
  for (const box of await table.getByRole('checkbox').all()) await box.check();
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
  await view(dyno, 'Roofline');
  await page.getByRole('combobox', { name: 'Points of a run' }).click();
  await expect(page.getByRole('option', { name: /SGLang/ })).toBeVisible();
});
