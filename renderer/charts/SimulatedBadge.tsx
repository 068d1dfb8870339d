import { Tooltip } from '@mantine/core';
import styles from './Hatch.module.css';

/** Stands beside everything that was modelled and not measured. */
export function SimulatedBadge() {
  return (
    <Tooltip label="Modelled by the simulator; nothing here was measured on a device.">
      <span className={styles.badge}>simulated</span>
    </Tooltip>
  );
}
