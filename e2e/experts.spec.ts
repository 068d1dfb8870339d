// A mixture of experts over many GPUs, and a pipeline, in the window: the lesson, the run, what the comparison says of balance and bubble.
import { choosePace, runBar, startRun, view } from './steps.ts';
import { expect, test } from './support/test.ts';

test('wide expert parallelism: the lesson reads, the ranks run, the comparison has imbalance and all-to-all', async ({
  dyno,
}) => {
  const { page } = dyno;
  await choosePace(dyno, 'At full speed');
  await page.getByRole('navigation', { name: 'Catalogue' }).getByText('ch15:wide_ep').click();
  await expect(page.getByText('What is simulated.').first()).toBeVisible();
  await page.getByLabel('Duration', { exact: true }).fill('10');
  await dyno.screenshot('experts-run');
  await startRun(dyno, 'Run A/B');
  await expect(runBar(dyno)).toHaveAttribute('data-state', 'done', { timeout: 60_000 });
  await view(dyno, 'Live');
  await dyno.screenshot('experts-live');
  await view(dyno, 'Compare');
  const figures = page.getByTestId('parallel');
  await expect(figures.getByRole('row', { name: /Exposed all-to-all/ })).toContainText('%', {
    timeout: 20_000,
  });
  await figures.scrollIntoViewIfNeeded();
  await dyno.screenshot('experts-compare');
});

test('the pipeline: its lesson has its table, and the bubble is in the comparison', async ({ dyno }) => {
  const { page } = dyno;
  await choosePace(dyno, 'At full speed');
  await page.getByRole('navigation', { name: 'Catalogue' }).getByText('ch17:pipeline_parallelism').click();
  await expect(page.getByRole('cell', { name: 'one per stage' }).first()).toBeVisible();
  await page.getByLabel('Duration', { exact: true }).fill('30');
  await dyno.screenshot('pipeline-run');
  await startRun(dyno, 'Run A/B');
  await expect(runBar(dyno)).toHaveAttribute('data-state', 'done', { timeout: 60_000 });
  await view(dyno, 'Compare');
  const figures = page.getByTestId('parallel');
  await expect(figures.getByRole('row', { name: /Pipeline bubble/ })).toContainText('%', { timeout: 20_000 });
  await figures.scrollIntoViewIfNeeded();
  await dyno.screenshot('pipeline-compare');
});
