// Captures: reports that are opened, and a simulated run inside the real Nsight Systems.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { answerDialogs, finishedPair, pictures, pointsOf, view } from './steps.ts';
import { expect, sharedData, test } from './support/test.ts';

const nsys = ['/usr/bin/nsys', '/usr/local/bin/nsys', '/usr/local/cuda/bin/nsys'].find((path) =>
  existsSync(path),
);

test('an nsys report: timeline, kernels, idle time', async ({ dyno, home }) => {
  const report = sharedData('nsight/h200-saxpy.nsys-rep');
  test.skip(report === undefined, 'the shared data folder is not here');
  test.skip(nsys === undefined, 'nsys is not installed: an .nsys-rep cannot be exported');
  const { page } = dyno;
  await view(dyno, 'Captures');
  await expect(page.getByRole('region', { name: 'Guide' })).toBeVisible();
  await pictures(dyno, 'captures-guide');
  await answerDialogs(dyno, { open: report ?? '', save: join(home, 'capture.trace.json') });
  await page.getByRole('button', { name: 'Open report…' }).click();
  await expect(page.getByTestId('capture')).toHaveAttribute('data-kind', 'nsys', { timeout: 40_000 });
  await expect.poll(() => pointsOf(dyno, 'timeline-capture')).toBeGreaterThan(5);
  await expect(page.getByTestId('activity')).toContainText('Idle bubbles');
  expect(Number(await page.getByTestId('names').getAttribute('data-rows'))).toBeGreaterThan(0);
  const timeline = page.getByTestId('timeline-capture');
  const length = async () =>
    Number(await timeline.getAttribute('data-to')) - Number(await timeline.getAttribute('data-from'));
  const whole = await length();
  await page.getByRole('application').hover();
  await page.mouse.wheel(0, -400);
  await expect.poll(length).toBeLessThan(whole / 2);
  await pictures(dyno, 'capture-nsys');
  await page.getByRole('application').dblclick();
  await expect.poll(length).toBe(whole);
  await page.getByRole('button', { name: 'Chrome trace…' }).click();
  await expect.poll(() => existsSync(join(home, 'capture.trace.json'))).toBe(true);
});

test('the real nsys around a simulated run: its phases as ranges, its run kept and marked', async ({
  dyno,
  home,
}) => {
  test.skip(nsys === undefined, 'nsys is not installed');
  test.setTimeout(150_000);
  const { page } = dyno;
  await finishedPair(dyno);
  await view(dyno, 'Captures');
  const capture = page.getByTestId('capture');
  for (const variant of ['baseline', 'optimized']) {
    await page.getByRole('combobox', { name: 'Variant' }).click();
    await page.getByRole('option', { name: variant, exact: true }).click();
    await page.getByRole('button', { name: 'Nsight Systems' }).click();
    await expect(capture).toHaveAttribute('data-state', /queued|running|importing/);
    await expect(capture).toHaveAttribute('data-kind', 'nsys', { timeout: 60_000 });
  }
  await page.getByText('NVTX ranges', { exact: false }).first().click();
  await expect(page.getByTestId('names')).toContainText('advance');
  await pictures(dyno, 'capture-sim');
  await page.getByRole('combobox', { name: 'Beside' }).click();
  await page.getByRole('option').first().click();
  await expect(page.getByTestId('side-by-side')).toBeVisible({ timeout: 20_000 });
  await expect.poll(() => pointsOf(dyno, 'timeline-baseline')).toBeGreaterThan(5);
  await pictures(dyno, 'captures-beside');
  await view(dyno, 'History');
  await expect(page.getByTestId('history')).toContainText('captured by nsys');
  await expect(page.getByTestId('history')).toHaveAttribute('data-runs', '4');

  const path = join(home, 'run.trace.json');
  await answerDialogs(dyno, { save: path });
  await page
    .getByRole('button', { name: /^Actions of/ })
    .first()
    .click();
  await page.keyboard.press('Escape');
  await page.keyboard.press('Control+Shift+P');
  await page.getByPlaceholder('Run a command').fill('Chrome trace');
  await page.keyboard.press('Enter');
  await expect.poll(() => existsSync(path), { timeout: 20_000 }).toBe(true);
  expect(readFileSync(path, 'utf8')).toContain('"traceEvents"');
});

test('a file that is no report fails with one clear line, and can be tried again', async ({ dyno }) => {
  const { page } = dyno;
  await view(dyno, 'Captures');
  await answerDialogs(dyno, { open: join(import.meta.dirname, '../package.json') });
  await page.getByRole('button', { name: 'Open report…' }).click();
  const capture = page.getByTestId('capture');
  await expect(capture).toHaveAttribute('data-state', 'failed');
  await expect(capture).toContainText('expected .nsys-rep, .sqlite, .ncu-rep or .csv');
  await expect(capture.getByRole('button', { name: 'Try again' })).toBeVisible();
});
