// Whether a window can be shown here.

/** Why no window can be shown, or undefined where one can. @returns {string | undefined} */
export function whyNoDisplay() {
  if (process.platform !== 'linux') return undefined;
  if (process.env['DISPLAY'] || process.env['WAYLAND_DISPLAY']) return undefined;
  return 'neither DISPLAY nor WAYLAND_DISPLAY is set';
}
