import { Button } from '@mantine/core';
import { useWindow, useWorkbench } from '../state/workbench.ts';
import styles from './Frame.module.css';

/** Shown while the host process is down: runs cannot start, what is on screen stays. */
export function HostBanner() {
  const { bridge } = useWorkbench();
  const host = useWindow((state) => state.host);
  if (host.state === 'up') return null;
  if (host.state === 'closing')
    return (
      <div className={styles.banner} role="status">
        <span>Dyno seals what was measured and then ends. A large run takes some seconds.</span>
      </div>
    );
  return (
    <div className={styles.banner} role="alert">
      <span>
        {host.state === 'restarting'
          ? `The host process ended (exit ${host.exitCode}) and is being started again. Runs that were going on are kept as interrupted.`
          : `The host process ended three times within a minute (exit ${host.exitCode}) and stays down. Restart Dyno; your runs are safe on disk.`}
      </span>
      {host.detail !== '' && (
        <Button variant="subtle" size="compact-xs" onClick={() => void bridge.copyText(host.detail)}>
          Copy detail
        </Button>
      )}
    </div>
  );
}
