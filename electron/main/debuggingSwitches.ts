/** Switches that let another process read and steer the window; the packaged app ignores them. */
const debuggingSwitches = [
  'remote-debugging-port',
  'remote-debugging-pipe',
  'remote-debugging-address',
  'remote-debugging-io-pipes',
  'remote-allow-origins',
  'auto-open-devtools-for-tabs',
] as const;

interface CommandLine {
  hasSwitch(name: string): boolean;
  removeSwitch(name: string): void;
}

/** Takes them off the command line, before Chromium looks at it. Returns what was taken. */
export function withoutDebugging(commandLine: CommandLine): readonly string[] {
  const found = debuggingSwitches.filter((name) => commandLine.hasSwitch(name));
  for (const name of found) commandLine.removeSwitch(name);
  return found;
}
