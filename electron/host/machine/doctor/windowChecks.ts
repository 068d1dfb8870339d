import { existsSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { formatMetric } from '../../../../workloads/metrics/format.ts';
import { boundedCommand } from './boundedCommand.ts';
import { type Check, type Finding, limited, missing, ok } from './finding.ts';
import { type Machine, readSmall } from './machine.ts';
import { endedSince } from './runtimeSupport.ts';

export interface ElectronFound {
  readonly version: string;
  readonly executable: string;
}

/** The window's Electron: the one that this process is, or the one that set-up noted. */
export function findElectron(machine: Machine): ElectronFound | undefined {
  const own = process.versions['electron'];
  if (own !== undefined && machine.electronExecutable === undefined) {
    return { version: own, executable: process.execPath };
  }
  // native/build -> the project, whose set-up writes down which Electron it found or fetched.
  const note = readSmall(machine.nativeFolder, '../../.cache/electron.json');
  const noted = note === undefined ? undefined : parseNote(note);
  const executable = machine.electronExecutable ?? noted?.executable;
  if (executable === undefined || !existsSync(executable)) return undefined;
  const version = readSmall(executable, '../version')?.replace(/^v/, '') ?? noted?.version;
  return { version: version ?? 'unknown version', executable };
}

/** Whether the Electron of the window and the Node.js of this process still get security fixes. */
function support(electron: ElectronFound | undefined): Finding {
  const now = new Date();
  const used = [
    ...(electron === undefined
      ? []
      : [{ id: 'electron', name: 'Electron', version: electron.version } as const]),
    // Inside Electron its own Node.js is mended with it.
    ...(process.versions['electron'] === undefined
      ? [{ id: 'node', name: 'Node.js', version: process.versions.node } as const]
      : []),
  ];
  const ended = used.flatMap(({ id, name, version }) => {
    const since = endedSince(id, version, now);
    return since === undefined ? [] : [`${name} ${version} is end-of-life since ${since}`];
  });
  if (ended.length === 0)
    return ok(used.map(({ name, version }) => `${name} ${version}: no end of life known`).join('; '));
  return limited(
    ended.join('; '),
    'Node.js: nodejs.org/download; Electron: `npm run setup` where its own download can be reached.',
  );
}

function parseNote(text: string): ElectronFound | undefined {
  try {
    const note: unknown = JSON.parse(text);
    if (typeof note !== 'object' || note === null) return undefined;
    const { version, executable } = note as { version?: unknown; executable?: unknown };
    return typeof version === 'string' && typeof executable === 'string'
      ? { version, executable }
      : undefined;
  } catch {
    // Not JSON: a set-up that was cut short; the next one writes it again.
    return undefined;
  }
}

/** Chromium's processes share their pictures through /dev/shm; containers often get 64 MB of it. */
const enoughSharedMemory = 256 * 2 ** 20;

export function windowChecks(machine: Machine): readonly Check[] {
  const electron = findElectron(machine);
  const checks: Check[] = [
    {
      id: 'electron',
      title: 'Electron',
      neededFor: 'the window; the command line does without',
      look: () =>
        Promise.resolve(
          electron === undefined
            ? missing('no runtime is installed', 'Install it: `npm run setup`')
            : ok(`${electron.version} at ${electron.executable}`),
        ),
    },
    {
      id: 'runtime_support',
      title: 'Support of the runtimes',
      neededFor: 'security: a runtime that its makers no longer mend keeps its known holes',
      look: () => Promise.resolve(support(electron)),
    },
  ];
  if (process.platform !== 'linux') return checks;
  return [
    ...checks,
    {
      id: 'window_libraries',
      title: 'System libraries of the window',
      neededFor: 'the window; the command line does without',
      look: () => libraries(machine, electron),
    },
    {
      id: 'display',
      title: 'Display',
      neededFor: 'the window; without one `npm start` runs the default lab in the terminal',
      look: () => Promise.resolve(display(machine)),
    },
    {
      id: 'shared_memory',
      title: 'Shared memory',
      neededFor: 'the window’s processes',
      look: sharedMemory,
    },
  ];
}

async function libraries(machine: Machine, electron: ElectronFound | undefined): Promise<Finding> {
  if (electron === undefined)
    return missing('not looked for: Electron is missing', 'Install it: `npm run setup`');
  const printed = await boundedCommand('ldd', [electron.executable], machine.limitMs, machine.env);
  if (printed === undefined) return limited('ldd cannot be run, so nothing is known');
  const absent = [...printed.text.matchAll(/^\s*(\S+) => not found/gm)].map((match) => match[1] ?? '');
  if (absent.length === 0 && printed.exitStatus !== 0) {
    return limited(`ldd cannot tell: ${printed.text.trim().split('\n')[0]}`);
  }
  if (absent.length === 0) return ok('all there');
  return missing(
    `not installed: ${absent.join(', ')}`,
    'On Debian and Ubuntu: `npm run setup` (as root it installs them, otherwise it prints the one apt-get line)',
  );
}

function display({ env }: Machine): Finding {
  const wayland = env['WAYLAND_DISPLAY'];
  if (wayland) return ok(`Wayland, ${wayland}`);
  const x = env['DISPLAY'];
  const virtual = 'A display without a screen: `xvfb-run -a npm start`; from another machine: `ssh -X`.';
  if (!x) return limited('none: neither DISPLAY nor WAYLAND_DISPLAY is set', virtual);
  const local = /^:(\d+)/.exec(x)?.[1];
  if (local !== undefined && !existsSync(join('/tmp/.X11-unix', `X${local}`))) {
    return limited(`DISPLAY=${x}, but no X server listens there`, virtual);
  }
  return ok(`X11, ${x}`);
}

async function sharedMemory(): Promise<Finding> {
  if (!existsSync('/dev/shm')) return limited('/dev/shm is missing');
  const { bavail, bsize } = await statfs('/dev/shm');
  const free = bavail * bsize;
  const text = `${formatMetric('memory_free_bytes', free)} free in /dev/shm`;
  return free >= enoughSharedMemory ? ok(text) : limited(text, 'Start the container with `--shm-size=1g`.');
}
