// Any variant can stand against the baseline, in any workload of the catalogue.
import { choosePace, pictures, untilDone, view } from './steps.ts';
import { expect, test } from './support/test.ts';

test('another variant than optimized is compared with the baseline', async ({ dyno }) => {
  test.slow();
  const { page } = dyno;
  await choosePace(dyno, 'At full speed');
  await page
    .getByRole('navigation', { name: 'Catalogue' })
    .getByText('Early rejection and service tiers')
    .click();
  await page.getByRole('combobox', { name: 'Compared with the baseline' }).click();
  await pictures(dyno, 'variants-menu');
  await page.getByRole('option', { name: /slo_tiers/ }).click();
  await expect(page.locator('code', { hasText: '--variant baseline,slo_tiers' })).toBeVisible();
  await pictures(dyno, 'variants');
  await page.getByRole('button', { name: 'Run A/B', exact: true }).click();
  await untilDone(dyno);
  await view(dyno, 'Compare');
  await expect(page.getByTestId('compare')).toContainText('slo_tiers');
  await pictures(dyno, 'variants-compare');
});
