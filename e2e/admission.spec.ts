// Admission in the window: the two loads over time, and the tiers side by side.
import { choosePace, pointsOf, runBar, startRun, view } from './steps.ts';
import { expect, test } from './support/test.ts';

test('the loads are drawn, and the comparison has a row per tier and run', async ({ dyno }) => {
  const { page } = dyno;
  await choosePace(dyno, 'At full speed');
  await page.getByRole('navigation', { name: 'Catalogue' }).getByText('ch17:early_rejection').click();
  await page.getByLabel('Duration', { exact: true }).fill('300');
  await startRun(dyno, 'Run A/B');
  await expect(runBar(dyno)).toHaveAttribute('data-state', 'done', { timeout: 50_000 });
  await view(dyno, 'Live');
  // Charts out of sight do not draw.
  await page.getByTestId('chart-load').scrollIntoViewIfNeeded();
  await expect.poll(() => pointsOf(dyno, 'load'), { timeout: 20_000 }).toBeGreaterThan(20);
  await dyno.screenshot('admission-live');

  await page.keyboard.press('c');
  const tiers = page.getByTestId('tiers');
  await expect(tiers.getByRole('row')).toHaveCount(7, { timeout: 20_000 });
  await expect(tiers.getByRole('row', { name: /premium optimized/ })).toContainText('%');
  await tiers.scrollIntoViewIfNeeded();
  await dyno.screenshot('admission-tiers');
});

test('models of several sizes: which model answered which requests, and how well', async ({ dyno }) => {
  const { page } = dyno;
  await choosePace(dyno, 'At full speed');
  await page.getByRole('navigation', { name: 'Catalogue' }).getByText('ch17:dynamic_routing').click();
  await page.getByLabel('Duration', { exact: true }).fill('120');
  await startRun(dyno, 'Run A/B');
  await expect(runBar(dyno)).toHaveAttribute('data-state', 'done', { timeout: 50_000 });
  await view(dyno, 'Live');
  await page.keyboard.press('c');
  await expect(page.getByTestId('verdict')).toContainText('Adequately answered', { timeout: 20_000 });
  const models = page.getByTestId('models');
  // One model and its sum, three models and theirs, the head.
  await expect(models.getByRole('row')).toHaveCount(7);
  await models.scrollIntoViewIfNeeded();
  await dyno.screenshot('complexity-models');
});
