// A trace that cannot be read forbids the run; a run that failed says why wherever it is shown.
import { cpSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { answerDialogs, choosePace, pictures, runBar, view } from './steps.ts';
import { expect, test } from './support/test.ts';

test('no run starts with an unreadable trace; the generator brings the buttons back', async ({
  dyno,
  home,
}) => {
  const { page } = dyno;
  const trace = join(home, 'picture.jsonl');
  writeFileSync(
    trace,
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13, 0x49, 0x48, 0xff]),
  );
  await choosePace(dyno, 'At full speed');
  await answerDialogs(dyno, { open: trace });
  await page.getByRole('button', { name: 'Use a recorded trace…' }).click();
  await expect(page.getByTestId('trace-problem')).toBeVisible({ timeout: 15_000 });
  const run = page.getByRole('button', { name: 'Run A/B', exact: true });
  await expect(run).toBeDisabled();
  const said = (await page.getByTestId('traffic-preview').textContent()) ?? '';
  expect(said).toContain('picture.jsonl');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: raw bytes of the file are what must not be there
  expect(said).not.toMatch(/[\u0000-\u0008\u000e-\u001f\ufffd]/);
  await page.keyboard.press('Control+Enter');
  await expect(page.getByTestId('frame')).toHaveAttribute('data-view', 'run');
  // Said in its place, and by nothing that lies over the buttons.
  await page.getByTestId('trace-problem').scrollIntoViewIfNeeded();
  await expect(page.locator('[class*="Notification-root"]')).toHaveCount(0);
  await expect(page.getByRole('button', { name: 'Generate instead' })).toBeInViewport({ ratio: 1 });
  await pictures(dyno, 'run-bad-trace');
  await page.getByRole('button', { name: 'Generate instead' }).click();
  await expect(run).toBeEnabled();
});

test('the reason why a run did not start is in Live and in the log', async ({ dyno, home }) => {
  const { page } = dyno;
  const trace = join(home, 'gone.jsonl');
  const line = (timestamp: number) =>
    JSON.stringify({ timestamp, input_length: 100, output_length: 10, hash_ids: [1] });
  writeFileSync(trace, `${Array.from({ length: 50 }, (_, i) => line(i * 100)).join('\n')}\n`);
  await choosePace(dyno, 'At full speed');
  await answerDialogs(dyno, { open: trace });
  await page.getByRole('button', { name: 'Use a recorded trace…' }).click();
  await expect(page.getByTestId('traffic-preview')).toHaveAttribute('data-requests', '50', {
    timeout: 15_000,
  });
  rmSync(trace);
  await page.getByRole('button', { name: 'Run baseline', exact: true }).click();
  await expect(runBar(dyno)).toHaveAttribute('data-state', 'failed', { timeout: 20_000 });
  await expect(page.getByTestId('run-failure')).toContainText('gone.jsonl');
  await page.keyboard.press('Control+j');
  await expect(page.getByText(/failed: .*gone\.jsonl/).last()).toBeVisible();
});

test('a failed run in the history says why, and so does Live when it is opened', async ({
  dyno,
  home,
  cli,
}) => {
  const { page } = dyno;
  const target = 'labs/dynamic_router:dynamic_router';
  expect((await cli(['run', target, '--set', 'requests=50'])).status).toBe(0);
  const [run = ''] = readdirSync(join(home, 'runs')).filter((name) => !name.startsWith('.'));
  // A copy of it that failed appears in one step, as bundles of other processes do.
  const failed = `${run.slice(0, -4)}f41l`;
  const aside = join(home, 'aside');
  cpSync(join(home, 'runs', run), aside, { recursive: true });
  const path = join(aside, 'manifest.json');
  const error = { code: 'failed', message: 'the runner ended with status 139', hint: 'run it again' };
  const manifest: object = JSON.parse(readFileSync(path, 'utf8'));
  writeFileSync(path, JSON.stringify({ ...manifest, run: failed, group: failed, status: 'failed', error }));
  renameSync(aside, join(home, 'runs', failed));
  await view(dyno, 'History');
  await expect(page.getByTestId('history')).toContainText(error.message, { timeout: 20_000 });
  await pictures(dyno, 'history-failed');
  await page.getByTestId('history').locator('tr[data-run]', { hasText: error.message }).dblclick();
  await expect(page.getByTestId('run-failure')).toContainText(error.message);
  await pictures(dyno, 'live-failed');
});
