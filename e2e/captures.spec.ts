// Captures: reports that are opened, and a simulated run inside the real Nsight Systems.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fakeDriver } from '../native/fakeDrivers.ts';
import { root } from '../scripts/project.mjs';
import { answerDialogs, finishedPair, pictures, pointsOf, runBar, view } from './steps.ts';
import { expect, sharedData, test } from './support/test.ts';
import { launchDyno } from './support/window.ts';

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
  await page.keyboard.down('Control');
  await page.mouse.wheel(0, -400);
  await page.keyboard.up('Control');
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
    await page.getByRole('button', { name: 'Capture with Nsight Systems' }).click();
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
  await expect(capture).toContainText(
    'expected a Chrome trace or a report of Nsight (.nsys-rep, .sqlite, .ncu-rep or .csv)',
  );
  await expect(capture.getByRole('button', { name: 'Try again' })).toBeVisible();
});

test('exactly this: a brushed range of a simulated run, replayed and recorded in that range', async ({
  dyno,
}) => {
  test.skip(nsys === undefined, 'nsys is not installed');
  test.setTimeout(120_000);
  const { page } = dyno;
  await finishedPair(dyno);
  const box = await page.getByTestId('chart-ttft').locator('canvas').boundingBox();
  if (box === null) throw new Error('the chart has no place on the page');
  const y = box.y + box.height / 2;
  await page.mouse.move(box.x + box.width * 0.3, y);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.6, y, { steps: 4 });
  await page.mouse.up();
  await pictures(dyno, 'live-range');
  await page.getByRole('button', { name: 'Capture exactly this' }).click();
  await expect(page.getByRole('menuitem', { name: 'with Nsight Compute' })).toBeDisabled();
  await page.getByRole('menuitem', { name: 'with Nsight Systems' }).click();
  const capture = page.getByTestId('capture');
  await expect(capture).toHaveAttribute('data-kind', 'nsys', { timeout: 60_000 });
  await expect(page.getByTestId('capture-interval')).toContainText('simulated time');
  await page.getByText('NVTX ranges', { exact: false }).first().click();
  await expect(page.getByTestId('names')).toContainText('interval');
  await expect(page.getByTestId('names')).not.toContainText('finish');
  await pictures(dyno, 'capture-part');
});

test('a capture made on the command line appears in the list; Nsight’s own window is offered where it is', async ({
  dyno,
  cli,
}) => {
  test.skip(nsys === undefined, 'nsys is not installed');
  test.setTimeout(120_000);
  const { page } = dyno;
  await view(dyno, 'Captures');
  await expect(page.getByTestId('captures')).toHaveAttribute('data-captures', '0');
  const args = ['capture', 'nsys', 'dynamic_router', '--set', 'requests=300'];
  expect((await cli(args)).status).toBe(0);
  await expect(page.getByTestId('captures')).toHaveAttribute('data-captures', '1', { timeout: 10_000 });
  await page.getByTestId('captures').locator('ol button').first().click();
  await expect(page.getByTestId('capture')).toHaveAttribute('data-kind', 'nsys', { timeout: 40_000 });
  const offered = page.getByRole('button', { name: 'Open in Nsight' });
  await expect(offered).toBeVisible();
  if (await offered.isDisabled())
    await expect(offered).toHaveAttribute('aria-description', /own window .* is not on this machine/);
  // The command lines follow the form.
  await page.getByText('Nsight Compute', { exact: true }).first().click();
  await page.getByLabel('Kernels (regex)').fill('gemm|attn');
  await page.getByLabel('Launches').fill('7');
  await page.getByTestId('capture-command').locator('summary').click();
  await expect(page.getByTestId('capture-command')).toContainText("--kernels 'gemm|attn'");
  await expect(page.getByTestId('capture-command')).toContainText('--count 7');
  await pictures(dyno, 'captures-ncu-form');
});

test('a run of kernels records itself: timeline, counters on the roofline, no profiler', async ({ home }) => {
  const built = ['fake/libfake_cupti.so', 'fake/libfake_nvml.so', 'kernels/copies.fatbin'];
  test.skip(
    !built.every((file) => existsSync(join(root, 'native/build', file))),
    'the native addon is not built here',
  );
  const cuda = fakeDriver('fake_cuda');
  const cupti = fakeDriver('fake_cupti');
  const nvml = fakeDriver('fake_nvml', ['gpus 1', 'text 0 name Fake H200', 'set 0 memoryTotal 150754820096']);
  const dyno = await launchDyno({
    home,
    env: { DYNO_CUDA: cuda.path, DYNO_CUPTI: cupti.path, DYNO_NVML: nvml.path },
  });
  const { page } = dyno;
  try {
    await view(dyno, 'Run');
    await page.getByRole('button', { name: /Copying device memory/ }).click();
    await page.getByLabel('MiB', { exact: true }).fill('1');
    await page.getByLabel('Record kernels').check();
    await page.getByLabel('Hardware counters').check();
    await expect(page.getByTitle('The same on the command line')).toContainText('--kernels --counters');
    await pictures(dyno, 'run-record');
    await page.getByRole('button', { name: 'Run A/B', exact: true }).click();
    await expect(runBar(dyno)).toHaveAttribute('data-state', 'done', { timeout: 40_000 });
    await expect(page.getByTestId('recorded')).toContainText('none dropped');
    await pictures(dyno, 'live-recorded');
    await page.getByRole('button', { name: 'Kernel timeline' }).click();
    await expect(page.getByTestId('capture')).toHaveAttribute('data-kind', 'nsys', { timeout: 20_000 });
    await expect(page.getByTestId('capture')).toContainText('copyVectors');
    await expect.poll(() => pointsOf(dyno, 'timeline-capture')).toBeGreaterThan(5);
    await pictures(dyno, 'capture-cupti');
    await view(dyno, 'Live');
    await page.getByRole('button', { name: 'Roofline', exact: true }).last().click();
    await expect(page.getByTestId('point')).toContainText('measured in the process by CUPTI');
    await expect(page.getByTestId('points')).toContainText('■ measured');
    await pictures(dyno, 'roofline-measured');
  } finally {
    await dyno.close();
    for (const driver of [cuda, cupti, nvml]) driver.remove();
  }
});

test('an opened report is in the list after a restart, and can be taken off it', async ({ home }) => {
  const report = sharedData('nsight/h200-saxpy.ncu-rep');
  test.skip(report === undefined, 'the shared data folder is not here');
  test.slow();
  const first = await launchDyno({ home });
  await view(first, 'Captures');
  await answerDialogs(first, { open: report ?? '' });
  await first.page.getByRole('button', { name: 'Open report…' }).click();
  await expect(first.page.getByTestId('capture')).toHaveAttribute('data-kind', 'ncu', { timeout: 40_000 });
  await first.close();
  const second = await launchDyno({ home });
  try {
    const { page } = second;
    await view(second, 'Captures');
    await page.getByRole('button', { name: /h200-saxpy\.ncu-rep/ }).click();
    await expect(page.getByTestId('capture')).toHaveAttribute('data-kind', 'ncu', { timeout: 40_000 });
    await page.getByRole('button', { name: 'Take off the list' }).click();
    await expect(page.getByTestId('captures')).toHaveAttribute('data-captures', '0');
    expect(existsSync(report ?? '')).toBe(true);
  } finally {
    await second.close();
  }
});
