// Tiers below HBM, in the window: what came from where is compared beside the latencies.
import { choosePace, runBar, startRun } from './steps.ts';
import { expect, test } from './support/test.ts';

test('hits, stalls and links of a host tier are compared with HBM alone', async ({ dyno }) => {
  const { page } = dyno;
  await choosePace(dyno, 'At full speed');
  await page.getByRole('navigation', { name: 'Catalogue' }).getByText('ch15:kv_cache_management').click();
  await startRun(dyno, 'Run A/B');
  await expect(runBar(dyno)).toHaveAttribute('data-state', 'done', { timeout: 60_000 });
  await page.keyboard.press('c');
  const figures = page.getByTestId('kv-figures');
  await expect(figures.getByRole('row', { name: /^Host hits/ })).toContainText('blocks', { timeout: 20_000 });
  await expect(figures.getByRole('row', { name: /^Fetch stall/ }).first()).toContainText('ms');
  // HBM alone has no tiers: a dash, not a zero.
  await expect(
    figures
      .getByRole('row', { name: /^Host hits/ })
      .getByRole('cell')
      .nth(1),
  ).toHaveText('–');
  await figures.scrollIntoViewIfNeeded();
  await dyno.screenshot('kv-tiers-compare');
});
