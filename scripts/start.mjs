// `npm start`: the window; on a machine with no display, the default lab in the terminal.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { electronEnvironment, requireElectron, sandboxSwitches, whyNoSandbox } from './electron/runtime.mjs';
import { out, root } from './project.mjs';
import { runMain, say } from './say.mjs';
import { whyNoDisplay } from './setup/display.mjs';

/** @param {string[]} args */
function startWindow(args) {
  const runtime = requireElectron();
  const env = electronEnvironment(runtime);
  const unsafe = whyNoSandbox();
  if (unsafe !== undefined) say(`Chromium's sandbox is off: ${unsafe}.`);
  return spawn(runtime.executable, [...sandboxSwitches(), root, ...args], { stdio: 'inherit', env });
}

/**
 * @param {string} reason
 * @param {string[]} args
 */
function startInTerminal(reason, args) {
  say(`There is no display here (${reason}), so no window can open: the default lab runs in this terminal.`);
  return spawn(process.execPath, [join(out, 'cli.mjs'), 'start-headless', ...args], { stdio: 'inherit' });
}

await runMain(() => {
  const reason = whyNoDisplay();
  const args = process.argv.slice(2);
  const child = reason === undefined ? startWindow(args) : startInTerminal(reason, args);
  // The terminal sends Ctrl-C to the child as well: it stops cleanly, and only then do we.
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM']))
    process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    say(error.message);
    process.exitCode = 1;
  });
  child.on('close', (status, signal) => {
    process.exitCode = status ?? (signal === 'SIGINT' ? 130 : 1);
  });
});
