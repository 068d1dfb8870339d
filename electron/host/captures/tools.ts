import { execFile } from 'node:child_process';
import { access, constants, readdir } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { CaptureError } from './captureError.ts';

/** Finding Nsight on this machine: a setting, PATH, then the folders that NVIDIA's installers use, newest version first. */
export type ToolId = 'nsys' | 'ncu';

export interface FoundTool {
  readonly tool: ToolId;
  readonly path: string;
  readonly version: ToolVersion;
}

export interface ToolVersion {
  readonly major: number;
  readonly minor: number;
  readonly patch: number;
  /** As printed. */
  readonly text: string;
}

/** The folders that installers put the tools in; `*` is one folder name. */
const usualFolders: Readonly<Record<ToolId, readonly string[]>> = {
  nsys: [
    '/opt/nvidia/nsight-systems/*/bin',
    '/opt/nvidia/nsight-systems-cli/*/bin',
    '/opt/nvidia/nsight-systems/*/target-linux-x64',
    '/usr/local/cuda/bin',
    '/usr/local/cuda-*/bin',
    '/usr/lib/nsight-systems/bin',
  ],
  ncu: [
    '/opt/nvidia/nsight-compute/*',
    '/usr/local/cuda/bin',
    '/usr/local/cuda-*/bin',
    '/usr/local/cuda/nsight-compute*',
  ],
};

const installAdvice: Readonly<Record<ToolId, string>> = {
  nsys: 'install NVIDIA Nsight Systems (developer.nvidia.com/nsight-systems, or the package nsight-systems), or set its path in the settings',
  ncu: 'install NVIDIA Nsight Compute (comes with the CUDA toolkit), or set its path in the settings',
};

/** `NVIDIA Nsight Systems version 2022.4.2.1-df9881f`, `Version 2025.3.1.0 (build 36398880)`. */
export function parseVersion(text: string): ToolVersion | undefined {
  const found = /version\s+(\d{4})\.(\d+)(?:\.(\d+))?[^\s]*/i.exec(text);
  if (found === null) return undefined;
  return {
    major: Number(found[1]),
    minor: Number(found[2]),
    patch: Number(found[3] ?? 0),
    text: found[0].replace(/^version\s+/i, ''),
  };
}

export const isAtLeast = (version: ToolVersion, major: number, minor: number): boolean =>
  version.major > major || (version.major === major && version.minor >= minor);

export interface SearchPlaces {
  /** From the settings: used alone when given, so that a wrong setting is seen and not papered over. */
  readonly setting?: string;
  readonly pathVariable?: string;
  readonly folders?: readonly string[];
  /** A tool that takes longer to say its version is killed and counts as missing. */
  readonly timeoutMs?: number;
}

/** Throws CaptureError `missing` that says where was looked and how to get the tool. */
export async function findTool(tool: ToolId, places: SearchPlaces = {}): Promise<FoundTool> {
  if (places.setting !== undefined && places.setting !== '') {
    if (!(await isExecutable(places.setting))) {
      throw new CaptureError(
        'missing',
        `${tool}: the settings name ${places.setting}, which is not an executable file`,
      );
    }
    return withVersion(tool, places.setting, places.timeoutMs);
  }
  const folders = [
    ...(places.pathVariable ?? process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== ''),
    ...(await Promise.all((places.folders ?? usualFolders[tool]).map(expand))).flat(),
  ];
  for (const folder of folders) {
    const path = join(folder, tool);
    if (await isExecutable(path)) return withVersion(tool, path, places.timeoutMs);
  }
  throw new CaptureError('missing', `${tool} was not found on PATH nor in the usual folders`, {
    hint: installAdvice[tool],
  });
}

/** The paths of the tools' own windows: beside the command, or in its host half. */
const uiPlaces: Readonly<
  Record<ToolId, { readonly names: readonly string[]; readonly folders: readonly string[] }>
> = {
  nsys: {
    names: ['nsys-ui', 'nsight-sys'],
    folders: [
      '/opt/nvidia/nsight-systems/*/bin',
      '/opt/nvidia/nsight-systems/*/host-linux-x64',
      '/usr/local/cuda/bin',
      '/usr/local/cuda-*/bin',
    ],
  },
  ncu: {
    names: ['ncu-ui'],
    folders: [
      '/opt/nvidia/nsight-compute/*',
      '/opt/nvidia/nsight-compute/*/host/linux-desktop-glibc_2_11_3-x64',
      '/usr/local/cuda/bin',
      '/usr/local/cuda-*/bin',
    ],
  },
};

const windowName: Readonly<Record<ToolId, string>> = { nsys: 'Nsight Systems', ncu: 'Nsight Compute' };

/** The path of Nsight's own window, or CaptureError `missing` that says where was looked. */
export async function findToolWindow(tool: ToolId, places: SearchPlaces = {}): Promise<string> {
  const { names, folders: usual } = uiPlaces[tool];
  const folders = [
    ...(places.pathVariable ?? process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== ''),
    ...(await Promise.all((places.folders ?? usual).map(expand))).flat(),
  ];
  for (const folder of folders)
    for (const name of names) if (await isExecutable(join(folder, name))) return join(folder, name);
  throw new CaptureError('missing', `${windowName[tool]}’s own window (${names[0]}) is not on this machine`, {
    hint: `its desktop package has it; the report opens on any machine that does`,
  });
}

async function withVersion(tool: ToolId, path: string, timeoutMs = 20_000): Promise<FoundTool> {
  const { printed, isKilled } = await new Promise<{ printed: string; isKilled: boolean }>((resolve) => {
    execFile(
      path,
      ['--version'],
      { timeout: timeoutMs, killSignal: 'SIGKILL', maxBuffer: 1 << 20 },
      (error, stdout, stderr) => resolve({ printed: `${stdout}${stderr}`, isKilled: error?.killed === true }),
    );
  });
  if (isKilled) {
    throw new CaptureError('missing', `${path} --version did not answer within ${timeoutMs / 1000} s`, {
      hint: `start it by hand to see why, or ${installAdvice[tool]}`,
    });
  }
  const version = parseVersion(printed);
  if (version === undefined) {
    throw new CaptureError('missing', `${path} --version does not print a version of ${tool}`, {
      hint: installAdvice[tool],
      detail: printed.slice(0, 2000),
    });
  }
  return { tool, path, version };
}

/** `/opt/x/*​/bin` → the folders that are there, highest version first. */
async function expand(pattern: string): Promise<string[]> {
  const [before = '', after] = pattern.split('*', 2);
  if (after === undefined) return [pattern];
  const cut = before.lastIndexOf('/');
  const parent = before.slice(0, cut);
  const start = before.slice(cut + 1);
  try {
    const names = (await readdir(parent)).filter((name) => name.startsWith(start));
    names.sort((a, b) => b.localeCompare(a, 'en', { numeric: true }));
    return names.map((name) => `${parent}/${name}${after}`);
  } catch {
    return [];
  }
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
