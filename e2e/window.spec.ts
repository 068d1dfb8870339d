// The window itself: it opens, takes keys, is locked down.
import { view } from './steps.ts';
import { expect, test } from './support/test.ts';

test('the window opens and takes input', async ({ dyno }) => {
  const { page } = dyno;
  await expect(page).toHaveTitle(/Dyno/);
  await expect(page.getByRole('button', { name: 'Run the default lab' }).first()).toBeVisible();
  for (const name of ['Run', 'Live', 'Compare', 'History', 'Doctor', 'Home'] as const) await view(dyno, name);
  await dyno.screenshot('window');
});

test('the page has no Node, a strict policy, and no way out', async ({ dyno }) => {
  const { page, app } = dyno;
  const inPage = await page.evaluate(async () => {
    const response = await fetch(location.href);
    return {
      origin: location.origin,
      policy: response.headers.get('content-security-policy') ?? '',
      globals: ['require', 'process', 'module', 'Buffer'].filter((name) => name in window),
      outside: (await fetch('app://dyno/..%2f..%2fpackage.json')).status,
      opened: window.open('https://example.org') === null,
      permission: await navigator.permissions.query({ name: 'geolocation' }).then(({ state }) => state),
    };
  });
  expect(inPage).toMatchObject({
    origin: 'app://dyno',
    globals: [],
    outside: 404,
    opened: true,
    permission: 'denied',
  });
  expect(inPage.policy).toContain("default-src 'none'");
  expect(inPage.policy).not.toContain('unsafe');

  dyno.expectProblem(/Content Security Policy|status of 404/);
  const evaluated = await page.evaluate(() => {
    const script = document.createElement('script');
    script.textContent = 'window.broken = true';
    document.head.append(script);
    return 'broken' in window;
  });
  expect(evaluated).toBe(false);
  await page.evaluate(() => {
    location.href = 'https://example.org/';
  });
  await page.waitForTimeout(200);
  expect(page.url()).toContain('app://dyno/');
  expect(await app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows().length)).toBe(1);
});

test('main refuses malformed messages and paths that no dialog gave', async ({ dyno, home }) => {
  const refused = await dyno.page.evaluate(async (folder) => {
    const bridge = (window as unknown as { dyno: Record<string, (...args: unknown[]) => Promise<unknown>> })
      .dyno;
    const message = (call: Promise<unknown> | undefined) =>
      call?.then(
        () => 'accepted',
        (error: Error) => error.message,
      );
    return [
      await message(bridge['setTheme']?.('pink')),
      await message(bridge['copyText']?.({ text: 1 })),
      await message(bridge['chooseSavePath']?.({ title: 'x', suggestedName: 'y', extension: '../z' })),
      await message(bridge['writeFile']?.(`${folder}/stolen.txt`, new Uint8Array(3))),
    ];
  }, home);
  for (const answer of refused) expect(answer).toContain('refused');
});

test('the host answers malformed requests with an error and goes on', async ({ dyno }) => {
  dyno.expectProblem(/a message of the window was not a request/);
  const { page } = dyno;
  await page.addInitScript(() => {
    window.addEventListener('message', ({ ports: [port] }) => {
      if (port !== undefined) Object.assign(window, { hostPort: port });
    });
  });
  await page.reload();
  await page.waitForFunction(() => 'hostPort' in window);
  const answers = await page.evaluate(async () => {
    const port: unknown = Reflect.get(window, 'hostPort');
    if (!(port instanceof MessagePort)) return [];
    const ask = (method: string, params: unknown) =>
      new Promise((done) => {
        const id = 1e9 + Math.floor(Math.random() * 1e6);
        port.addEventListener('message', ({ data }) => {
          if (data.id === id) done(data);
        });
        port.postMessage({ id, method, params });
      });
    for (const noise of [null, 'text', { id: 'x' }, { method: 'runs.list' }]) port.postMessage(noise);
    return [
      await ask('runs.delete', { runs: 'all' }),
      await ask('nothing.known', {}),
      await ask('runs.list', {}),
    ];
  });
  expect(answers).toMatchObject([{ ok: false }, { ok: false }, { ok: true }]);
});

test('palette, cheat sheet and views by keyboard alone', async ({ dyno }) => {
  const { page } = dyno;
  await page.keyboard.press('Control+Shift+P');
  await page.getByPlaceholder('Run a command').fill('history');
  await expect(page.locator('.mantine-Spotlight-action')).toHaveCount(1);
  await page.keyboard.press('Enter');
  await expect(page.getByTestId('frame')).toHaveAttribute('data-view', 'history');
  await expect(page.getByPlaceholder('Run a command')).toHaveCount(0);
  await page.keyboard.press('2');
  await expect(page.getByTestId('frame')).toHaveAttribute('data-view', 'run');
  await page.keyboard.press('?');
  await expect(page.getByRole('dialog', { name: 'Keyboard shortcuts' })).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(page.getByRole('dialog')).toHaveCount(0);
});

test('the theme switches, and is kept', async ({ dyno }) => {
  const { page } = dyno;
  const scheme = () => page.locator('html').getAttribute('data-mantine-color-scheme');
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  expect(await scheme()).toBe('dark');
  const dark = await ground();
  await page.keyboard.press('Control+Shift+L');
  await expect.poll(scheme).toBe('light');
  expect(await ground()).not.toBe(dark);
  await page.reload();
  await expect.poll(scheme).toBe('light');
});
