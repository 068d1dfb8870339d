import { Tooltip } from '@mantine/core';
import { clientErrors } from '../../../workloads/metrics/clientErrors.ts';
import type { Summary } from '../../../workloads/run/summary.ts';
import styles from './ClientStrip.module.css';

/** How the load generator itself did: the error bar of a run on servers. Nothing for runs without one. */
export function ClientStrip({ summary }: { readonly summary: Summary | undefined }) {
  const client = summary?.client;
  if (summary === undefined || client === undefined) return null;
  const errors = clientErrors(client, summary.metrics);
  const isDoubted = errors.some(({ doubt }) => doubt !== undefined);
  return (
    <section
      className={styles.strip}
      aria-label="Load generator"
      data-testid="client-errors"
      data-doubted={isDoubted}
    >
      <Tooltip
        label={`${client.receiver === 'native' ? 'Native receiver' : "Node's sockets"}, bytes stamped by the ${client.stamps === 'kernel' ? 'kernel as they arrived' : 'clock after they were read'}${client.receiver_reason === undefined ? '' : ` (${client.receiver_reason})`}.`}
      >
        <b>Load generator</b>
      </Tooltip>
      {errors.map(({ id, label, text, definition, doubt }) => (
        <Tooltip key={id} label={doubt === undefined ? definition : `${definition} Here ${doubt}.`}>
          <span data-error={id} data-past={doubt !== undefined}>
            {label} <em>{text ?? 'not measured'}</em>
            {doubt !== undefined && (
              <span className={styles.mark} role="img" aria-label={doubt}>
                ▲
              </span>
            )}
          </span>
        </Tooltip>
      ))}
    </section>
  );
}
