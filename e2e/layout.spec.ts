// Every view in a small window and at 200 %: nothing is out of reach, and nothing pushes the page sideways.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { finishedPair, view, views } from './steps.ts';
import { expect, test } from './support/test.ts';
import { type DynoWindow, screenshots } from './support/window.ts';

/** What sticks out of the window or of the view with no way to scroll there. */
const outOfReach = ({ page }: DynoWindow): Promise<readonly string[]> =>
  page.evaluate(() => {
    const found: string[] = [];
    const { innerWidth, innerHeight } = window;
    if (document.documentElement.scrollWidth > innerWidth) found.push('the page scrolls sideways');
    for (const element of document.querySelectorAll<HTMLElement>('button, input, select, textarea')) {
      if (
        !element.checkVisibility({ visibilityProperty: true }) ||
        element.closest('[aria-hidden="true"]') !== null
      )
        continue;
      const box = element.getBoundingClientRect();
      if (box.width < 3 || box.height < 3) continue;
      let scrollsX = false;
      let scrollsY = false;
      for (let parent = element.parentElement; parent !== null; parent = parent.parentElement) {
        const style = getComputedStyle(parent);
        scrollsX ||= /auto|scroll/.test(style.overflowX) && parent.scrollWidth > parent.clientWidth;
        scrollsY ||= /auto|scroll/.test(style.overflowY) && parent.scrollHeight > parent.clientHeight;
      }
      const isOut =
        (!scrollsX && (box.right > innerWidth + 1 || box.left < -1)) ||
        (!scrollsY && (box.bottom > innerHeight + 1 || box.top < -1));
      const name = element.getAttribute('aria-label') ?? element.textContent?.trim() ?? element.tagName;
      if (isOut) found.push(`${name} at ${Math.round(box.left)},${Math.round(box.top)}`);
    }
    return found;
  });

test('960×600 and 200 %: every view can be used', async ({ dyno }) => {
  test.slow();
  const { app, page } = dyno;
  mkdirSync(screenshots, { recursive: true });
  await finishedPair(dyno);
  await view(dyno, 'Compare');
  await expect(page.getByTestId('verdict')).toBeVisible({ timeout: 20_000 });
  for (const { name, width, height, zoom } of [
    { name: '960x600', width: 960, height: 600, zoom: 1 },
    { name: '200', width: 1280, height: 800, zoom: 2 },
  ]) {
    await app.evaluate(
      ({ BrowserWindow }, [w, h, factor]) => {
        const [window] = BrowserWindow.getAllWindows();
        window?.setContentSize(w ?? 0, h ?? 0);
        window?.webContents.setZoomFactor(factor ?? 1);
      },
      [width, height, zoom],
    );
    await expect.poll(() => page.evaluate(() => window.innerWidth)).toBe(width / zoom);
    for (const each of views) {
      await view(dyno, each);
      await expect(page.getByRole('main')).not.toBeEmpty();
      // Playwright's own pictures do not know of the zoom.
      const picture = await app.evaluate(async ({ BrowserWindow }) => {
        const image = await BrowserWindow.getAllWindows()[0]?.webContents.capturePage();
        return image?.toPNG().toString('base64') ?? '';
      });
      writeFileSync(
        join(screenshots, `layout-${name}-${each.toLowerCase()}.png`),
        Buffer.from(picture, 'base64'),
      );
      expect.soft(await outOfReach(dyno), `${each} at ${name}`).toEqual([]);
    }
    const rail = page.getByRole('navigation', { name: 'Views' });
    // Its right border is one pixel; what is more is a scrollbar.
    expect(
      await rail.evaluate((it) => it.getBoundingClientRect().width - it.clientWidth),
      `rail at ${name}`,
    ).toBeLessThan(3);
  }
});
