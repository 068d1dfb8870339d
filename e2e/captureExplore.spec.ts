// A recording is explored: gaps, zoom, links between launch, kernel and range, search, two on one scale. Needs no profiler.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { answerDialogs, pictures, view } from './steps.ts';
import { axeFaults } from './support/axe.ts';
import { expect, test } from './support/test.ts';

/** Steps of 100 µs: one range, two launches, two kernels; before the last step the GPU waits 1 ms for the host. */
function kineto(steps: number): string {
  const events: object[] = [{ ph: 'M', name: 'process_name', pid: 10, args: { name: 'python' } }];
  const add = (cat: string, name: string, ts: number, dur: number, args: object = {}) => {
    const gpu = cat === 'kernel';
    events.push({ ph: 'X', cat, name, pid: gpu ? 0 : 10, tid: gpu ? 7 : 11, ts, dur, args });
  };
  for (let step = 0; step < steps; step += 1) {
    const at = step * 100 + (step === steps - 1 ? 1000 : 0);
    add('cpu_op', step % 2 === 0 ? 'prefill_layer' : 'decode_layer', at, 90);
    ['gemm_bf16', 'softmax_warp'].forEach((name, k) => {
      const correlation = 2 * step + k + 1;
      add('cuda_runtime', 'cudaLaunchKernel', at + 5 + 10 * k, 4, { correlation });
      add('kernel', name, at + 20 + 40 * k, 30, { device: 0, stream: 7, correlation });
    });
  }
  return JSON.stringify({ deviceProperties: [{ id: 0, name: 'NVIDIA H200' }], traceEvents: events });
}

test('gaps, zoom, links, search; two recordings on one scale', async ({ dyno, home }) => {
  const { page } = dyno;
  const open = async (name: string, steps: number) => {
    const path = join(home, name);
    writeFileSync(path, kineto(steps));
    await answerDialogs(dyno, { open: path });
    await page.getByRole('button', { name: 'Open report…' }).click();
    await expect(page.getByTestId('capture')).toHaveAttribute('data-kind', 'nsys', { timeout: 20_000 });
    await expect(page.getByTestId('capture').getByRole('heading', { name })).toBeVisible();
  };
  await view(dyno, 'Captures');
  await open('long.json', 80);
  const names = page.getByTestId('names');
  const timeline = page.getByTestId('timeline-capture');
  const length = async () =>
    Number(await timeline.getAttribute('data-to')) - Number(await timeline.getAttribute('data-from'));
  const tab = (name: RegExp) => page.getByRole('radiogroup', { name: 'Table' }).getByText(name);
  const gemms = names
    .getByRole('row', { name: /gemm_bf16/ })
    .getByRole('cell')
    .nth(1);
  await expect(gemms).toHaveText('80');
  const whole = await length();

  // The longest gap: its cause, and a jump; the tables then hold what is left in view.
  await tab(/^Gaps/).click();
  const gap = page.getByTestId('gaps').locator('tbody tr').first();
  await expect(gap).toContainText('launched too late');
  await expect(gap).toContainText('1.03 ms');
  await gap.getByRole('button', { name: 'Show' }).click();
  await expect.poll(length).toBeLessThan(whole);
  await expect(page.getByTestId('tables-part')).toContainText('overlap');
  await tab(/^Kernels/).click();
  await expect(gemms).not.toHaveText('80');
  await pictures(dyno, 'capture-gap');
  await page.getByRole('button', { name: 'Show all' }).click();
  await expect(gemms).toHaveText('80');

  // Search: the first kernel, the next one; its launch and its range are linked, and lead on.
  const search = page.getByRole('textbox', { name: 'Find a kernel, range or call' });
  await search.fill('softmax');
  await search.press('Enter');
  await expect(page.getByTestId('hits')).toHaveText('1 of 80');
  const links = page.getByTestId('links');
  await expect(links).toContainText('in range prefill_layer');
  await expect(links).toContainText('launched by cudaLaunchKernel');
  await search.press('Enter');
  await expect(page.getByTestId('hits')).toHaveText('2 of 80');
  await expect(links).toContainText('in range decode_layer');
  await expect(names).toHaveAttribute('data-rows', '1');
  await pictures(dyno, 'capture-links');
  expect(await axeFaults(dyno)).toEqual([]);
  await links.getByRole('button', { name: /in range/ }).click();
  await expect(links).toContainText('2 kernels');

  // A click on the picture chooses too: the range of the jump lies in its first lane, in the middle of what is shown.
  await links.getByRole('button', { name: 'Close the chosen event' }).click();
  await expect(links).toHaveCount(0);
  const area = page.getByRole('application', { name: 'Timeline: zoom and pan' });
  const box = await area.boundingBox();
  await area.click({ position: { x: (box?.width ?? 0) / 2, y: 9 } });
  await expect(links).toContainText('decode_layer');
  // By keyboard: a slash goes to the search, plus and minus zoom.
  await area.press('/');
  await expect(search).toBeFocused();
  const before = await length();
  await area.press('-');
  await expect.poll(length).toBeGreaterThan(before * 1.5);
  await area.press('Home');
  await expect.poll(length).toBe(whole);

  // Beside a shorter one: both show the same time since their start, and move together.
  await open('short.json', 10);
  await page.getByRole('combobox', { name: 'Beside' }).click();
  await page.getByRole('option', { name: /long\.json/ }).click();
  await expect(page.getByTestId('side-by-side')).toBeVisible({ timeout: 20_000 });
  const spans = () =>
    Promise.all(
      ['baseline', 'optimized'].map(async (side) => {
        const it = page.getByTestId(`timeline-${side}`);
        return Number(await it.getAttribute('data-to')) - Number(await it.getAttribute('data-from'));
      }),
    );
  expect(await spans()).toEqual([whole, whole]);
  await page.getByRole('application').first().press('+');
  await expect.poll(spans).toEqual([whole / 2, whole / 2]);
  await pictures(dyno, 'captures-one-scale');
});
