// axe-core in the window: names, roles, contrast, order of headings.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { AxeResults, RunOptions } from 'axe-core';
import type { DynoWindow } from './window.ts';

const source = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

declare global {
  interface Window {
    readonly axe: { run(context: Document, options: RunOptions): Promise<AxeResults> };
  }
}

/** What axe finds, one line each: rule, element, why. */
async function faultsNow({ page }: DynoWindow, rules?: readonly string[]): Promise<readonly string[]> {
  if (!(await page.evaluate(() => 'axe' in window))) await page.evaluate(source);
  return page.evaluate(async (only) => {
    const { violations } = await window.axe.run(document, {
      resultTypes: ['violations'],
      ...(only === undefined ? {} : { runOnly: { type: 'rule', values: [...only] } }),
    });
    return violations.flatMap(({ id, nodes }) =>
      nodes.map(({ target, failureSummary, html }) =>
        `${id}: ${target.join(' ')}: ${failureSummary ?? ''} ${html.slice(0, 160)}`.replace(/\s+/g, ' '),
      ),
    );
  }, rules);
}

/** Everything that axe finds in what the window shows now, in both themes; the theme is what it was. */
export async function axeFaults(dyno: DynoWindow): Promise<readonly string[]> {
  const found = [...(await faultsNow(dyno))];
  // Of all rules the contrast alone depends on the theme.
  await dyno.page.keyboard.press('Control+Shift+L');
  for (const line of await faultsNow(dyno, ['color-contrast'])) found.push(`in the other theme: ${line}`);
  await dyno.page.keyboard.press('Control+Shift+L');
  return found;
}
