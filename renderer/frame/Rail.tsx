import { Tooltip } from '@mantine/core';
import { IconCommand } from '@tabler/icons-react';
import type { CommandId } from '../../electron/contract/commands.ts';
import { viewList } from '../../electron/contract/views.ts';
import { keysOf, runCommand } from '../state/commandRegistry.ts';
import { useWindow, useWorkbench } from '../state/workbench.ts';
import { Keys } from '../ui/Keys.tsx';
import styles from './Frame.module.css';
import { views } from './views.tsx';

export function Rail() {
  const workbench = useWorkbench();
  const current = useWindow((state) => state.view);
  return (
    <nav className={styles.rail} aria-label="Views">
      {viewList.map(({ id, title }) => {
        const { icon: Icon } = views[id];
        return (
          <button
            key={id}
            type="button"
            className={styles.railItem}
            aria-current={current === id ? 'page' : undefined}
            onClick={() => runCommand(workbench, `view.${id}`)}
          >
            <Icon size={19} stroke={1.6} aria-hidden />
            <span className={styles.railLabel}>{title}</span>
          </button>
        );
      })}
      <div className={styles.railGap} />
      <RailCommand id="help.palette" title="Command palette" />
    </nav>
  );
}

function RailCommand({ id, title }: { readonly id: CommandId; readonly title: string }) {
  const workbench = useWorkbench();
  return (
    <Tooltip
      position="right"
      label={
        <span>
          {title} <Keys keys={keysOf(id) ?? ''} />
        </span>
      }
    >
      <button
        type="button"
        className={styles.railItem}
        aria-label={title}
        onClick={() => runCommand(workbench, id)}
      >
        <IconCommand size={18} stroke={1.6} aria-hidden />
      </button>
    </Tooltip>
  );
}
