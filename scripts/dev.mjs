// `npm run dev`: builds on each change. A change outside the window restarts the app; for one inside, reload it (Ctrl+R).
import { spawn } from 'node:child_process';
import { watchAll } from './build.mjs';
import { electronEnvironment, requireElectron, sandboxSwitches } from './electron/runtime.mjs';
import { root } from './project.mjs';
import { runMain, say } from './say.mjs';

/** @type {import('node:child_process').ChildProcess | undefined} */
let app;

function restart() {
  const runtime = requireElectron();
  app?.removeAllListeners('exit').kill();
  app = spawn(runtime.executable, [...sandboxSwitches(), root], {
    stdio: 'inherit',
    env: electronEnvironment(runtime),
  });
  app.on('exit', (status) => process.exit(status ?? 1));
}

await runMain(async () => {
  say('dev: watching the sources; close the window to end');
  await watchAll(restart);
});
