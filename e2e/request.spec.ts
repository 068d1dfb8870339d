// Why was this request slow? From the comparison to one request, and to its time in Live.
import { finishedPair, pictures, view } from './steps.ts';
import { expect, test } from './support/test.ts';

test('the slowest request says why: stages, gaps, neighbours, one sentence; Live shows its time', async ({
  dyno,
}) => {
  const { page } = dyno;
  await finishedPair(dyno);
  await view(dyno, 'Compare');
  await expect(page.getByTestId('verdict')).toBeVisible({ timeout: 20_000 });
  await page.getByRole('button', { name: 'Slowest' }).click();
  const inspector = page.getByTestId('request-inspector');
  const stories = inspector.getByTestId('request-story');
  await expect(stories).toHaveCount(2);
  await expect(stories.first().getByTestId('request-cause')).toHaveText(/^(It|Its) .* % of its time.*\.$/);
  await expect(stories.first().locator('[data-stage="decode"]')).toBeVisible();
  await expect(stories.first().getByTestId('request-gaps')).toContainText('longest');
  await expect(stories.first()).toContainText(/passes with .* decoding sequences/);
  await pictures(dyno, 'request');

  await page.getByRole('textbox', { name: 'Request number' }).fill('7');
  await page.keyboard.press('Enter');
  await expect(page.getByText('Request 7', { exact: true })).toBeVisible();
  await page.getByRole('textbox', { name: 'Request number' }).fill('999999');
  await page.keyboard.press('Enter');
  await expect(page.getByText('this run has no request 999999')).toBeVisible();

  await stories.first().getByRole('button', { name: 'Show in Live' }).click();
  await expect(page.getByTestId('frame')).toHaveAttribute('data-view', 'live');
  await expect(page.getByTestId('request-inspector')).toBeVisible();
  await expect(page.getByTestId('chart-ttft')).not.toHaveAttribute('data-range', /^0 /);
});
