// Sweeps and queues: choose the parameters that vary, see the Pareto-optimal points, continue from one of them.
import { pictures, pointsOf, view } from './steps.ts';
import { expect, test } from './support/test.ts';

test('a sweep fills its front, and a point becomes a run', async ({ dyno }) => {
  const { page } = dyno;
  await view(dyno, 'Run');
  await page.getByLabel('Requests', { exact: true }).fill('400');
  await view(dyno, 'Sweeps');
  await page.getByRole('textbox', { name: 'Values of axis 2' }).fill('0..4:2');
  await expect(page.getByText(/expected a whole number, 1 \.\. 1024/)).toBeVisible();
  await page.getByRole('textbox', { name: 'Values of axis 2' }).fill('2..8:4');
  await page.getByRole('button', { name: 'Sweep 8 points' }).click();
  const sweep = page.getByTestId('sweep');
  await expect(sweep).toHaveAttribute('data-state', 'done', { timeout: 60_000 });
  await expect(sweep).toHaveAttribute('data-done', '8');
  await expect.poll(() => pointsOf(dyno, 'sweep')).toBe(8);
  await page.getByTestId('sweep-points').getByRole('button').nth(2).click();
  await expect(page.getByTestId('sweep-point')).toContainText('instances');
  await pictures(dyno, 'sweep');
  await page.getByRole('button', { name: 'Run with all detail' }).click();
  await expect(page.getByTestId('live')).toBeVisible();
});

test('a queue beside its formula', async ({ dyno }) => {
  const { page } = dyno;
  await view(dyno, 'Queues');
  await page.getByRole('textbox', { name: 'Jobs per load' }).fill('60000');
  await page.getByRole('button', { name: 'Run the queue' }).click();
  await expect(page.getByTestId('queue')).toHaveAttribute('data-points', '8', { timeout: 60_000 });
  await expect(page.getByTestId('queue-table')).toContainText('0.95');
  await expect.poll(() => pointsOf(dyno, 'queue')).toBe(8);
  await pictures(dyno, 'queue');
});
