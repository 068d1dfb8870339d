/**
 * When the makers of a runtime stop to mend it, by major version: Node.js from its release schedule
 * (github.com/nodejs/Release), Electron from its timelines (electronjs.org/docs/latest/tutorial/electron-timelines). Electron
 * supports its three latest majors; a new one comes about every eight weeks.
 */
const ends: Readonly<Record<'node' | 'electron', Readonly<Record<number, string>>>> = {
  node: { 18: '2025-04-30', 20: '2026-04-30', 22: '2027-04-30', 24: '2028-04-30' },
  electron: {
    32: '2025-03-04',
    33: '2025-04-29',
    34: '2025-06-24',
    35: '2025-09-02',
    36: '2025-10-28',
    37: '2026-01-13',
    38: '2026-03-10',
    39: '2026-05-05',
  },
};
/** Majors below the table ended before it begins; odd Node.js versions live half a year and are in no table. */
const oldest = { node: 18, electron: 32 } as const;

/** Since when a version gets no security fixes any more; undefined where it still gets them, or where that is not known. */
export function endedSince(runtime: 'node' | 'electron', version: string, now: Date): string | undefined {
  const major = Number.parseInt(version, 10);
  if (Number.isNaN(major)) return undefined;
  if (major < oldest[runtime]) return 'long ago';
  const end = ends[runtime][major];
  return end !== undefined && now.toISOString().slice(0, 10) > end ? end : undefined;
}
