import { CommandPalette } from './CommandPalette.tsx';
import { ShortcutSheet } from './ShortcutSheet.tsx';

/** The palette and the cheat sheet, which lie over the frame; loaded after the first frame. */
export function Overlays() {
  return (
    <>
      <CommandPalette />
      <ShortcutSheet />
    </>
  );
}
