import { Modal } from '@mantine/core';
import { commands } from '../../electron/contract/commands.ts';
import { groupedBy } from '../state/grouped.ts';
import { useWindow, useWorkbench } from '../state/workbench.ts';
import { Keys } from '../ui/Keys.tsx';
import styles from './Frame.module.css';

const onCharts: readonly (readonly [string, string])[] = [
  ['Choose a range', 'Drag'],
  ['Zoom about the pointer', 'Wheel'],
  ['Copy the value', 'Click'],
];

/** The cheat sheet: the command list again. */
export function ShortcutSheet() {
  const { window: store } = useWorkbench();
  const opened = useWindow((state) => state.shortcutsOpen);
  const groups = groupedBy(
    commands.filter((command) => command.keys !== undefined),
    (command) => command.menu,
  );
  return (
    <Modal
      opened={opened}
      onClose={() => store.setState({ shortcutsOpen: false })}
      title="Keyboard shortcuts"
      size={620}
    >
      <div className={styles.sheet}>
        {[...groups].map(([menu, entries]) => (
          <div key={menu}>
            <div className={styles.sheetGroup}>{menu}</div>
            {entries.map((command) => (
              <div key={command.id} className={styles.sheetRow}>
                <span>{command.title}</span>
                <Keys keys={command.keys ?? ''} />
              </div>
            ))}
          </div>
        ))}
        <div>
          <div className={styles.sheetGroup}>On a chart</div>
          {onCharts.map(([what, how]) => (
            <div key={what} className={styles.sheetRow}>
              <span>{what}</span>
              <Keys keys={how} />
            </div>
          ))}
        </div>
      </div>
    </Modal>
  );
}
