import { rmSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/**
 * Removes the folder of a test. Processes of Electron that were killed may write into it for a moment: it is listed anew until
 * it stays empty. (`maxRetries` of rmSync only repeats the last step.)
 */
export async function removeFolder(folder: string): Promise<void> {
  for (let left = 100; ; left -= 1) {
    try {
      rmSync(folder, { recursive: true, force: true });
      return;
    } catch (thrown) {
      if (left === 0) throw thrown;
      await delay(100);
    }
  }
}
