import { Button } from '@mantine/core';
import type { ReactNode } from 'react';
import type { CommandId } from '../../electron/contract/commands.ts';
import type { HostError } from '../../electron/contract/hostError.ts';
import { runCommand } from '../state/commandRegistry.ts';
import { useWorkbench } from '../state/workbench.ts';
import styles from './EmptyState.module.css';

interface EmptyStateProps {
  /** Describes the content that is not there yet. */
  readonly title: string;
  readonly children?: ReactNode;
  /** The buttons that make it so. */
  readonly commands?: readonly {
    readonly id: CommandId;
    readonly label: string;
    readonly isMain?: boolean;
  }[];
}

export function EmptyState({ title, children, commands = [] }: EmptyStateProps) {
  const workbench = useWorkbench();
  return (
    <div className={styles.empty}>
      <h2>{title}</h2>
      {children !== undefined && <p>{children}</p>}
      <div className={styles.buttons}>
        {commands.map(({ id, label, isMain = false }) => (
          <Button
            key={id}
            size="xs"
            variant={isMain ? 'filled' : 'default'}
            onClick={() => runCommand(workbench, id)}
          >
            {label}
          </Button>
        ))}
      </div>
    </div>
  );
}

/** An error: its message, a hint, and a detail to copy. */
export function ErrorState({
  title,
  error,
  children,
}: {
  readonly title: string;
  readonly error: HostError;
  readonly children?: ReactNode;
}) {
  const { bridge } = useWorkbench();
  const detail = JSON.stringify(error, undefined, 2);
  return (
    <div className={`${styles.empty} selectable`} role="alert">
      <h2>{title}</h2>
      <p className={styles.errorText}>{error.message}</p>
      {error.hint !== undefined && <p>{error.hint}</p>}
      <div className={styles.buttons}>
        {children}
        <Button size="xs" variant="default" onClick={() => void bridge.copyText(detail)}>
          Copy detail
        </Button>
      </div>
    </div>
  );
}
