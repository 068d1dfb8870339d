/** Keys are written as in the command list: `Mod+Shift+P`, `Space`, `Escape`, `1`. */
export interface KeyPress {
  readonly key: string;
  readonly code: string;
  readonly ctrlKey: boolean;
  readonly metaKey: boolean;
  readonly shiftKey: boolean;
  readonly altKey: boolean;
}

export const isMac = (platform: string): boolean => platform.startsWith('Mac');

export function matches(keys: string, press: KeyPress, mac: boolean): boolean {
  const parts = keys.split('+');
  const name = parts.at(-1) ?? '';
  const wants = (modifier: string) => parts.slice(0, -1).includes(modifier);
  const mod = mac ? press.metaKey : press.ctrlKey;
  const other = mac ? press.ctrlKey : press.metaKey;
  // Which keys make a sign depends on the keyboard: its Shift does not count.
  const isSign = /^[^\w]$/.test(name);
  if (press.altKey || other || mod !== wants('Mod')) return false;
  if (!isSign && press.shiftKey !== wants('Shift')) return false;
  if (name === 'Space') return press.code === 'Space';
  if (isSign) return press.key === name;
  return press.key.toLowerCase() === name.toLowerCase() || press.code === `Key${name.toUpperCase()}`;
}

const macNames: Readonly<Record<string, string>> = { Mod: '⌘', Shift: '⇧', Enter: '↩', Escape: 'esc' };
const otherNames: Readonly<Record<string, string>> = { Mod: 'Ctrl', Escape: 'Esc' };

/** `Ctrl`, `Shift`, `P` for key caps. */
export function capsOf(keys: string, mac: boolean): string[] {
  const names = mac ? macNames : otherNames;
  return keys.split('+').map((part) => names[part] ?? part);
}

/** Does this element take typed text? Then single keys are text, not commands. */
export function takesText(element: {
  readonly tagName: string;
  readonly isContentEditable?: boolean;
  readonly type?: string;
}): boolean {
  if (element.isContentEditable === true) return true;
  if (element.tagName === 'TEXTAREA' || element.tagName === 'SELECT') return true;
  return (
    element.tagName === 'INPUT' && !['checkbox', 'radio', 'button', 'range'].includes(element.type ?? 'text')
  );
}
