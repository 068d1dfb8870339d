// A cluster that changes, in the window: events are marked in the charts, and the number of serving instances has a chart of its own.
import { choosePace, pointsOf, runBar, startRun, view } from './steps.ts';
import { expect, test } from './support/test.ts';

test('crashes and stragglers are marked, and the tooltip names them', async ({ dyno }) => {
  const { page } = dyno;
  await choosePace(dyno, 'At full speed');
  await page.getByRole('navigation', { name: 'Catalogue' }).getByText('serving:faults').click();
  await startRun(dyno, 'Run baseline');
  await expect(runBar(dyno)).toHaveAttribute('data-state', 'done', { timeout: 60_000 });
  await view(dyno, 'Live');
  const ttft = page.getByTestId('chart-ttft');
  // crash, known, restarted, serves, and the two changes of speed.
  await expect(ttft).toHaveAttribute('data-marks', '6', { timeout: 20_000 });
  const fleet = page.getByTestId('chart-fleet');
  await fleet.scrollIntoViewIfNeeded();
  await expect.poll(() => pointsOf(dyno, 'fleet'), { timeout: 20_000 }).toBeGreaterThan(20);
  await dyno.screenshot('faults-live');

  // The crash is at 60 of about 300 s: a fifth of the way from the left.
  const box = await fleet.locator('canvas').boundingBox();
  if (box === null) throw new Error('the chart has no size');
  const inner = { left: box.x + 58, width: box.width - 58 - 44 };
  const tip = fleet.getByRole('tooltip');
  for (let x = 0.17; x < 0.22; x += 0.002) {
    await page.mouse.move(inner.left + x * inner.width, box.y + 40);
    if (((await tip.textContent()) ?? '').includes('crash')) break;
  }
  await expect(tip).toContainText('✕ #0 crash at 01:00');
  await dyno.screenshot('faults-tip');
});

test('what a scaled fleet costs is compared', async ({ dyno }) => {
  const { page } = dyno;
  await choosePace(dyno, 'At full speed');
  await page.getByRole('navigation', { name: 'Catalogue' }).getByText('serving:autoscaling').click();
  await page.getByLabel('Requests', { exact: true }).fill('10000');
  await startRun(dyno, 'Run A/B');
  await expect(runBar(dyno)).toHaveAttribute('data-state', 'done', { timeout: 60_000 });
  await page.keyboard.press('c');
  const figures = page.getByTestId('fleet-figures');
  await expect(figures.getByRole('row', { name: /^GPU-hours/ })).toContainText('GPU-h', { timeout: 20_000 });
  await expect(figures.getByRole('row', { name: /Goodput per GPU-hour/ })).toContainText('×');
  await figures.scrollIntoViewIfNeeded();
  await dyno.screenshot('autoscaling-compare');
});
