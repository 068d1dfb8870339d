import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';

/** Position and size of the window when it closed. A file that cannot be read or does not fit is ignored. */
const windowState = z.strictObject({
  version: z.literal(1),
  width: z.int().min(800).max(20_000),
  height: z.int().min(500).max(20_000),
  x: z.int().optional(),
  y: z.int().optional(),
  maximized: z.boolean(),
  theme: z.enum(['dark', 'light', 'system']),
});
export type WindowState = z.infer<typeof windowState>;

export const firstWindowState: WindowState = {
  version: 1,
  width: 1280,
  height: 800,
  maximized: false,
  theme: 'dark',
};

export function parseWindowState(text: string): WindowState {
  try {
    const parsed = windowState.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : firstWindowState;
  } catch {
    return firstWindowState;
  }
}

export function readWindowState(file: string): WindowState {
  try {
    return parseWindowState(readFileSync(file, 'utf8'));
  } catch {
    return firstWindowState;
  }
}

/** Written aside and renamed: a crash leaves the old file. */
export function writeWindowState(file: string, state: WindowState): void {
  mkdirSync(dirname(file), { recursive: true });
  const aside = `${file}.${process.pid}`;
  writeFileSync(aside, JSON.stringify(state));
  renameSync(aside, file);
}

interface Area {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** A remembered place counts only while enough of the title bar lies on a screen to be taken hold of. */
export function isOnScreen(state: WindowState, screens: readonly Area[]): boolean {
  const { x, y, width } = state;
  if (x === undefined || y === undefined) return false;
  return screens.some((screen) => {
    const overlap = Math.min(x + width, screen.x + screen.width) - Math.max(x, screen.x);
    return overlap >= 100 && y >= screen.y && y < screen.y + screen.height - 40;
  });
}
