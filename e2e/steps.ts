// The steps of a user, by name.
import { join } from 'node:path';
import { expect, type Locator } from '@playwright/test';
import { type DynoWindow, screenshots } from './support/window.ts';

export const runBar = ({ page }: DynoWindow): Locator => page.getByTestId('run-bar');

/** Answers the next save and open dialogs, which no test can click. */
export async function answerDialogs(
  { app }: DynoWindow,
  paths: { readonly save?: string; readonly open?: string },
): Promise<void> {
  await app.evaluate(({ dialog }, { save, open }) => {
    if (save !== undefined) dialog.showSaveDialog = async () => ({ canceled: false, filePath: save });
    if (open !== undefined) dialog.showOpenDialog = async () => ({ canceled: false, filePaths: [open] });
  }, paths);
}

export type Pace = 'At full speed' | 'Watch at 60×' | 'Watch at 10×' | 'Watch in real time';

export async function choosePace(dyno: DynoWindow, pace: Pace): Promise<void> {
  await view(dyno, 'Run');
  await dyno.page.getByRole('combobox', { name: 'Pace' }).click();
  await dyno.page.getByRole('option', { name: pace }).click();
}

/** Every view, in the rail's order. */
export const views = [
  'Home',
  'Run',
  'Live',
  'Compare',
  'Sweeps',
  'Roofline',
  'Captures',
  'Queues',
  'History',
  'Doctor',
  'Settings',
] as const;

export async function view({ page }: DynoWindow, name: (typeof views)[number]): Promise<void> {
  await page.getByRole('navigation', { name: 'Views' }).getByRole('button', { name, exact: true }).click();
  await expect(page.getByTestId('frame')).toHaveAttribute('data-view', name.toLowerCase());
}

export async function startRun(
  dyno: DynoWindow,
  button: 'Run A/B' | 'Run baseline' | 'Run optimized',
): Promise<void> {
  await view(dyno, 'Run');
  await dyno.page.getByRole('button', { name: button, exact: true }).click();
  await expect(dyno.page.getByTestId('frame')).toHaveAttribute('data-view', 'live');
}

/** A picture in each theme, whatever the system's is; notices and tooltips out of the way. */
export async function pictures({ page }: DynoWindow, name: string): Promise<void> {
  await page.mouse.move(640, 790);
  await expect(page.getByRole('tooltip')).toHaveCount(0);
  for (const theme of ['dark', 'light']) {
    await page.screenshot({ animations: 'disabled', path: join(screenshots, `${name}-${theme}.png`) });
    const before = await page.locator('html').getAttribute('data-mantine-color-scheme');
    await page.keyboard.press('Control+Shift+L');
    await expect(page.locator('html')).not.toHaveAttribute('data-mantine-color-scheme', before ?? '');
  }
}

/** The smallest finished A/B comparison of the default lab. */
export async function finishedPair(dyno: DynoWindow): Promise<void> {
  await choosePace(dyno, 'At full speed');
  await dyno.page.getByLabel('Requests', { exact: true }).fill('600');
  await startRun(dyno, 'Run A/B');
  await untilDone(dyno);
}

/** State of the shown job, and how far it is: `running 42`. */
const stateOf = (dyno: DynoWindow): Promise<string> =>
  runBar(dyno).evaluate((bar) => {
    const share = bar.querySelector('[role="progressbar"]')?.getAttribute('aria-valuenow') ?? '';
    return `${bar.getAttribute('data-state')} ${share}`;
  });

/** Waits until the shown job has got further than `from` (absent: than it is now); fails where it stands still. */
export async function progress(dyno: DynoWindow, from?: string, stalledMs = 20_000): Promise<string> {
  const before = from ?? (await stateOf(dyno));
  await expect.poll(() => stateOf(dyno), { timeout: stalledMs }).not.toBe(before);
  return stateOf(dyno);
}

/** Waits for the end of the shown job as long as it makes progress, however slow the machine is. */
export async function untilDone(dyno: DynoWindow): Promise<void> {
  for (let state = await stateOf(dyno); !state.startsWith('done'); state = await progress(dyno, state))
    expect(state).toMatch(/^(none|queued|running|finishing)/);
}

/** The number of points that a chart has drawn. */
export async function pointsOf({ page }: DynoWindow, chart: string): Promise<number> {
  return Number((await page.getByTestId(`chart-${chart}`).getAttribute('data-points')) ?? 0);
}

export async function runnerPid(dyno: DynoWindow): Promise<number> {
  const pid = async () => Number((await runBar(dyno).getAttribute('data-pid')) ?? 0);
  await expect.poll(pid, { timeout: 15_000 }).toBeGreaterThan(0);
  return pid();
}
