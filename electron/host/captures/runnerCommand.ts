/**
 * What a capture wraps: the runner on one spec, its event stream going into a file.
 *
 * The runner writes its events to descriptor 3, which its host opens. A profiler stands between here: `nsys` starts the
 * program from an agent that passes on no descriptor. So a few lines of Node stand in front, open the file and start
 * the runner with it as descriptor 3; the tools follow child processes. The child gets the whole environment, since the
 * profiler's own variables (injection libraries) are in it. Two variables tell the runner that descriptor 3 is its way out
 * (`outPipe.ts`), and that a profiler records its NVTX ranges (`profilerRanges.ts`).
 */
const relay = `
const { spawn } = require('node:child_process');
const [runner, spec, events] = process.argv.slice(1);
const child = spawn(process.execPath, [runner, spec], { env: { ...process.env, DYNO_EVENTS_FD: '3', DYNO_NVTX: '1' }, stdio: ['ignore', 'inherit', 'inherit', require('node:fs').openSync(events, 'w')] });
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
child.on('error', (error) => { console.error(error.message); process.exit(3); });
child.on('exit', (code) => process.exit(code ?? 1));
`;

export const runnerCommand = (files: {
  /** Node, or Electron as Node (ELECTRON_RUN_AS_NODE=1 in the environment). */
  readonly node: string;
  readonly runner: string;
  readonly spec: string;
  readonly events: string;
}): readonly string[] => [
  files.node,
  '-e',
  relay.trim().replaceAll('\n', ' '),
  files.runner,
  files.spec,
  files.events,
];
