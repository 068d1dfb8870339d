import { app, Menu, type MenuItemConstructorOptions } from 'electron';
import { type CommandEntry, commands } from '../contract/commands.ts';

const order: readonly CommandEntry['menu'][] = ['File', 'View', 'Run', 'Compare', 'Help'];

/** `Mod+Shift+P` in Electron's words. */
export function acceleratorOf(keys: string): string {
  return keys.replace('Mod', 'CommandOrControl');
}

/** The menu is the command list, drawn natively. The page owns the keys; here they are only shown. */
export function installMenu(send: (command: string) => void): void {
  const menus = order.map(
    (menu): MenuItemConstructorOptions => ({
      label: menu,
      submenu: [
        ...commands.filter((command) => command.menu === menu).flatMap((command) => items(command, send)),
        ...ends(menu),
      ],
    }),
  );
  const appMenu: MenuItemConstructorOptions[] = process.platform === 'darwin' ? [{ role: 'appMenu' }] : [];
  const edit: MenuItemConstructorOptions = { role: 'editMenu' };
  const [file, ...rest] = menus;
  Menu.setApplicationMenu(
    Menu.buildFromTemplate([...appMenu, ...(file === undefined ? [] : [file]), edit, ...rest]),
  );
}

function items(command: CommandEntry, send: (command: string) => void): MenuItemConstructorOptions[] {
  const item: MenuItemConstructorOptions = { label: command.title, click: () => send(command.id) };
  if (command.keys !== undefined) {
    item.accelerator = acceleratorOf(command.keys);
    item.registerAccelerator = false;
  }
  return command.startsGroup === true ? [{ type: 'separator' }, item] : [item];
}

function ends(menu: CommandEntry['menu']): MenuItemConstructorOptions[] {
  if (menu === 'File')
    return [{ type: 'separator' }, { role: process.platform === 'darwin' ? 'close' : 'quit' }];
  if (menu === 'View')
    return [
      { type: 'separator' },
      { role: 'resetZoom' },
      { role: 'zoomIn' },
      { role: 'zoomOut' },
      { role: 'togglefullscreen' },
      { role: 'toggleDevTools' },
    ];
  if (menu === 'Help')
    return [{ type: 'separator' }, { label: `${app.name} ${app.getVersion()}`, enabled: false }];
  return [];
}
