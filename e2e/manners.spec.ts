// How the window behaves under the hand: one time axis, the wheel, Escape, the inspector, what goes on.
import { choosePace, finishedPair, pictures, pointsOf, runBar, startRun, view } from './steps.ts';
import { expect, test } from './support/test.ts';

test('while a run goes on, its charts show one range of time', async ({ dyno }) => {
  const { page } = dyno;
  await choosePace(dyno, 'Watch at 10×');
  await startRun(dyno, 'Run baseline');
  await expect.poll(() => pointsOf(dyno, 'ttft'), { timeout: 20_000 }).toBeGreaterThan(5);
  // In each frame of two seconds: how many ranges there are on screen.
  const counts = await page.evaluate(
    () =>
      new Promise<number[]>((done) => {
        const seen: number[] = [];
        const end = performance.now() + 2000;
        const look = () => {
          // Charts out of sight are not drawn.
          const bottom = document.querySelector('main')?.getBoundingClientRect().bottom ?? 0;
          const charts = [
            ...document.querySelectorAll<HTMLElement>('[data-testid="live-charts"] [data-range]'),
          ].filter(
            (chart) => (chart.querySelector('canvas')?.getBoundingClientRect().top ?? bottom) < bottom,
          );
          seen.push(new Set(charts.map(({ dataset }) => dataset['range'])).size);
          if (performance.now() < end) requestAnimationFrame(look);
          else done(seen);
        };
        look();
      }),
  );
  expect(counts.length).toBeGreaterThan(5);
  // A step of the axis takes a few frames to reach every chart, and never leaves more than the range before it behind.
  expect(Math.max(...counts)).toBeLessThanOrEqual(2);
  expect(counts.filter((count) => count === 1).length / counts.length).toBeGreaterThan(0.3);
  await page.getByTestId('jobs').click();
  await expect(page.getByRole('menuitem', { name: 'Cancel the running job' })).toBeVisible();
  await pictures(dyno, 'live-running');
  await page.getByRole('menuitem', { name: 'Cancel the running job' }).click();
  await expect(runBar(dyno)).toHaveAttribute('data-state', 'cancelled', { timeout: 20_000 });
});

test('the wheel scrolls, with Ctrl it zooms; Escape ends one thing at a time', async ({ dyno }) => {
  const { page } = dyno;
  await finishedPair(dyno);
  await view(dyno, 'Live');
  const chart = page.getByTestId('chart-ttft');
  await expect.poll(() => pointsOf(dyno, 'ttft')).toBeGreaterThan(5);
  const range = () => chart.getAttribute('data-range');
  const whole = await range();
  const top = async () => (await chart.boundingBox())?.y ?? 0;
  const before = await top();
  await chart.hover();
  await page.mouse.wheel(0, 200);
  await expect.poll(top).toBeLessThan(before - 50);
  expect(await range()).toBe(whole);
  await page.mouse.wheel(0, -400);
  await expect.poll(top).toBe(before);
  await chart.hover();
  await page.keyboard.down('Control');
  await page.mouse.wheel(0, -400);
  await page.keyboard.up('Control');
  await expect.poll(range).not.toBe(whole);
  const zoomed = await range();

  await page.getByTestId('jobs').click();
  await expect(page.getByRole('menu')).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(page.getByRole('menu')).toHaveCount(0);
  expect(await range()).toBe(zoomed);
  await page.keyboard.press('Escape');
  await expect.poll(range).toBe(whole);
});

test('a selected request stays with the comparison that it belongs to', async ({ dyno }) => {
  const { page } = dyno;
  await finishedPair(dyno);
  await view(dyno, 'Compare');
  await expect(page.getByTestId('verdict')).toBeVisible({ timeout: 20_000 });
  await page.getByRole('button', { name: 'Slowest' }).click();
  await expect(page.getByTestId('request-inspector')).toBeVisible();
  await view(dyno, 'Run');
  await expect(page.getByTestId('request-inspector')).toHaveCount(0);
  await view(dyno, 'Compare');
  await expect(page.getByTestId('request-inspector')).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(page.getByTestId('request-inspector')).toHaveCount(0);
});
