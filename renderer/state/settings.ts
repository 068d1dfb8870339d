import { z } from 'zod';
import { createStore } from 'zustand/vanilla';
import { pace } from '../../electron/contract/protocol.ts';
import { poolRole } from '../../workloads/run/poolRole.ts';

/** Settings that the window keeps between starts; nothing about runs. */
const settings = z.strictObject({
  version: z.literal(1),
  theme: z.enum(['dark', 'light', 'system']),
  density: z.enum(['comfortable', 'compact']).default('comfortable'),
  palette: z.enum(['okabe-ito', 'high-contrast']).default('okabe-ito'),
  pace,
  inspectorOpen: z.boolean(),
  logLatency: z.boolean(),
  /** Run pinned as the baseline behind every live chart. */
  pinnedRun: z.string().nullable(),
  /** The metric that the GPU lanes show, by id. */
  gpuMetrics: z.array(z.string()).default(['sm_util', 'tensor_util', 'dram_util']),
  /** The servers used last: a form without any begins with them. */
  servers: z
    .array(
      z.strictObject({
        url: z.string(),
        role: poolRole,
        name: z.string(),
        model: z.string(),
        kvEvents: z.string(),
        keyEnv: z.string(),
      }),
    )
    .default([]),
});
export type Settings = z.infer<typeof settings>;

export const firstSettings: Settings = {
  version: 1,
  theme: 'dark',
  density: 'comfortable',
  palette: 'okabe-ito',
  pace: 60,
  inspectorOpen: true,
  logLatency: true,
  pinnedRun: null,
  gpuMetrics: ['sm_util', 'tensor_util', 'dram_util'],
  servers: [],
};

export function parseSettings(text: string | null): Settings {
  if (text === null) return firstSettings;
  try {
    const parsed = settings.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : firstSettings;
  } catch {
    // Not JSON: a file of another origin, or none.
    return firstSettings;
  }
}

const key = 'dyno.settings';

export function createSettingsStore(storage: Pick<Storage, 'getItem' | 'setItem'>) {
  const store = createStore<Settings>(() => parseSettings(storage.getItem(key)));
  store.subscribe((state) => storage.setItem(key, JSON.stringify(state)));
  return store;
}
export type SettingsStore = ReturnType<typeof createSettingsStore>;
