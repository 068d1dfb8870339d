import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { bundleEntry } from '../testing/bundleEntry.ts';

test.runIf(process.platform === 'linux')(
  'a runner that cannot be started is an outcome, not the end of the host',
  async () => {
    const bundle = await bundleEntry('electron/host/runs/runnerProcess.ts', 'runnerProcess.mjs');
    const script = join(dirname(bundle), 'start.mjs');
    mkdirSync(dirname(script), { recursive: true });
    // All but a few descriptors are taken, so that the four pipes of a runner cannot be made.
    writeFileSync(
      script,
      `import { openSync } from 'node:fs';
       import { RunnerProcess } from './runnerProcess.mjs';
       const held = [];
       for (;;) { try { held.push(openSync('/dev/null', 'r')); } catch { break; } }
       const runner = new RunnerProcess('none.mjs', 'none.json', () => undefined);
       runner.tell({ cancel: true });
       runner.pause();
       runner.resume();
       runner.kill();
       const { code, refused } = await runner.exited;
       console.log(JSON.stringify({ code, refused }));
       process.exit(0);`,
    );
    const { stdout } = await promisify(execFile)('bash', [
      '-c',
      'ulimit -n 40; exec "$0" "$1"',
      process.execPath,
      script,
    ]);
    expect(JSON.parse(stdout)).toMatchObject({ code: null, refused: expect.stringContaining('EMFILE') });
  },
  60_000,
);
