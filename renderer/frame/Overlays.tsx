import { CommandPalette } from './CommandPalette.tsx';
import { ShortcutSheet } from './ShortcutSheet.tsx';

/** What lies over the frame when it is called for; loaded after the first frame. */
export function Overlays() {
  return (
    <>
      <CommandPalette />
      <ShortcutSheet />
    </>
  );
}
