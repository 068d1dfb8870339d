import type { MachineSettings } from '../../contract/machine.ts';
import type { HostQuestion } from '../../contract/protocol.ts';
import { findTool } from '../captures/tools.ts';
import type { Grants } from '../grants.ts';
import { homeFolder } from '../store/runsFolder.ts';
import {
  readUserSettings,
  settingsFile,
  type UserSettings,
  writeUserSettings,
} from '../store/userSettings.ts';

/** The settings as the window shows them. Throws InputError where the file is damaged. */
export function machineSettings(runsFolderNow: string): MachineSettings {
  const home = homeFolder();
  const { tools, runs_folder } = readUserSettings(home);
  return {
    file: settingsFile(home),
    ...tools,
    ...(runs_folder === undefined ? {} : { runs_folder }),
    runs_folder_now: runsFolderNow,
  };
}

/** Changes what is given and writes the file. Throws CaptureError where a tool does not answer, RunFailure where a path was not chosen. */
export async function changeMachineSettings(
  change: HostQuestion<'settings.write'>,
  grants: Grants,
): Promise<void> {
  const home = homeFolder();
  const before = readUserSettings(home);
  const tools: { nsys?: string; ncu?: string } = { ...before.tools };
  for (const tool of ['nsys', 'ncu'] as const) {
    const wanted = change[tool];
    if (wanted === undefined) continue;
    if (wanted === null) {
      delete tools[tool];
      continue;
    }
    const { path } = await findTool(tool, { setting: await grants.read(wanted), timeoutMs: 8_000 });
    tools[tool] = path;
  }
  const { runs_folder: folder = before.runs_folder ?? null } = change;
  const settings: UserSettings = {
    version: 1,
    tools,
    ...(folder === null
      ? {}
      : { runs_folder: folder === before.runs_folder ? folder : await grants.read(folder) }),
  };
  await writeUserSettings(home, settings);
}
