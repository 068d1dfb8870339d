// The main job: the router lab, baseline against optimized, on a real one-hour trace, from the form to one request's scores.
import {
  answerDialogs,
  choosePace,
  finishedPair,
  pointsOf,
  progress,
  runBar,
  startRun,
  view,
} from './steps.ts';
import { expect, sharedData, test } from './support/test.ts';

const trace = sharedData('traces/mooncake-conversation.jsonl');

test('A/B on the Mooncake trace, chosen in the form', async ({ dyno }) => {
  test.skip(trace === undefined, 'the shared data folder is not here');
  const { page } = dyno;
  await choosePace(dyno, 'At full speed');
  await answerDialogs(dyno, { open: trace ?? '' });
  await page.getByRole('button', { name: 'Use a recorded trace…' }).click();
  await expect(page.getByTestId('traffic-preview')).toHaveAttribute('data-requests', '12031', {
    timeout: 15_000,
  });
  await expect(page.getByText('--trace')).toContainText('mooncake-conversation.jsonl');
  await startRun(dyno, 'Run A/B');
  await expect(runBar(dyno)).toHaveAttribute('data-state', 'done', { timeout: 50_000 });

  await page.getByRole('button', { name: 'Compare', exact: true }).first().click();
  await view(dyno, 'Compare');
  await expect(page.getByTestId('verdict')).toContainText('TTFT p95', { timeout: 20_000 });
  await expect(page.getByTestId('verification')).toContainText('passed');
  await expect(page.getByTestId('ratio-table').getByRole('row', { name: /TTFT p95/ })).toBeVisible();
  await expect(page.getByTestId('request-table')).toHaveAttribute('data-rows', '12031');
  await expect.poll(() => pointsOf(dyno, 'cdf')).toBeGreaterThan(100);
  await dyno.screenshot('compare');
});

test('charts carry data while the run goes on, and freeze when told to', async ({ dyno }) => {
  test.slow();
  const { page } = dyno;
  // Slow enough that the run outlasts the checks on any machine.
  await choosePace(dyno, 'Watch at 10×');
  await startRun(dyno, 'Run baseline');
  await expect.poll(() => pointsOf(dyno, 'ttft'), { timeout: 20_000 }).toBeGreaterThan(20);
  await expect(runBar(dyno)).toHaveAttribute('data-state', 'running');
  await expect(page.getByTestId('kpi-ttft_ms')).toHaveAttribute('data-value', /\d/);
  await expect(page.getByTestId('router-feed')).toHaveAttribute('data-decisions', /[1-9]/);

  await page.getByRole('button', { name: 'Freeze' }).click();
  // The last picture before the click may be drawn late on a busy machine.
  let frozen = await pointsOf(dyno, 'ttft');
  await expect
    .poll(
      async () => {
        const before = frozen;
        await progress(dyno);
        frozen = await pointsOf(dyno, 'ttft');
        return frozen === before;
      },
      { timeout: 60_000 },
    )
    .toBe(true);
  expect(frozen).toBeGreaterThan(0);
  await progress(dyno);
  // Drawn anew, the picture is the same.
  await dyno.app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]?.setContentSize(1270, 790));
  await progress(dyno);
  expect(await pointsOf(dyno, 'ttft')).toBe(frozen);
  await page.getByRole('button', { name: 'Resume' }).click();
  await expect.poll(() => pointsOf(dyno, 'ttft')).toBeGreaterThan(frozen);
  await page.getByRole('button', { name: 'Cancel', exact: true }).click();
  await expect(runBar(dyno)).toHaveAttribute('data-state', 'cancelled', { timeout: 20_000 });
});

test('a brush on one chart ranges them all; Escape goes back', async ({ dyno }) => {
  const { page } = dyno;
  await finishedPair(dyno);
  const plot = page.getByTestId('chart-ttft').locator('canvas');
  const box = await plot.boundingBox();
  if (box === null) throw new Error('the chart has no place on the page');
  const y = box.y + box.height / 2;
  await page.mouse.move(box.x + box.width * 0.3, y);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.6, y, { steps: 4 });
  await page.mouse.up();
  await expect(page.getByTestId('breadcrumb')).toContainText('whole run');
  await page.keyboard.press('Escape');
  await expect(page.getByTestId('breadcrumb')).toHaveCount(0);
});

test('a click on a request shows the scores of every candidate in both runs', async ({ dyno }) => {
  const { page } = dyno;
  await finishedPair(dyno);
  await page.keyboard.press('c');
  await expect(page.getByTestId('request-table')).toHaveAttribute('data-rows', '600', { timeout: 20_000 });
  await page.getByTestId('request-table').locator('[data-request]').nth(2).click();
  const inspector = page.getByTestId('request-inspector');
  await expect(inspector.getByTestId('decisions-optimized').getByRole('img').first()).toBeVisible();
  await expect(inspector.getByTestId('decisions-optimized').getByRole('img')).not.toHaveCount(0);
  await expect(inspector.getByTestId('decisions-baseline')).toContainText('TTFT');
});

test('a trace with a broken line says where', async ({ dyno, home }) => {
  const { page } = dyno;
  const { writeFileSync } = await import('node:fs');
  const broken = `${home}/broken.jsonl`;
  writeFileSync(
    broken,
    '{"timestamp": 0, "input_length": 10, "output_length": 5, "hash_ids": [0]}\n{"timestamp": "soon"}\n',
  );
  await view(dyno, 'Run');
  await answerDialogs(dyno, { open: broken });
  await page.getByRole('button', { name: 'Use a recorded trace…' }).click();
  await expect(page.getByTestId('traffic-preview').getByRole('alert')).toContainText('broken.jsonl:2');
});

test('a value out of range is named with its unit, and nothing can be run', async ({ dyno }) => {
  const { page } = dyno;
  await view(dyno, 'Run');
  await page.getByLabel('Requests', { exact: true }).fill('3');
  await expect(page.getByTestId('parameter-form').getByRole('alert')).toContainText(
    '10 to 1000000 requests was expected',
  );
  await expect(page.getByRole('button', { name: 'Run A/B' })).toBeDisabled();
  await page.getByRole('button', { name: 'Reset Requests', exact: true }).click();
  await expect(page.getByRole('button', { name: 'Run A/B' })).toBeEnabled();
});
