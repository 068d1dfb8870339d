import { ActionIcon } from '@mantine/core';
import { IconX } from '@tabler/icons-react';
import type { EventLinks, TimelineEvent } from '../../../electron/contract/captures.ts';
import { duration } from '../roofline/PointInspector.tsx';
import styles from './Captures.module.css';

const most = 12;

/** The chosen event in words, and a button for each that belongs to it: the call that launched it, its kernels, its range. */
export function LinkedEvents({
  links,
  startNs,
  onJump,
  onClose,
}: {
  readonly links: EventLinks;
  readonly startNs: number;
  readonly onJump: (event: TimelineEvent) => void;
  readonly onClose: () => void;
}) {
  const { chosen, linked } = links;
  const launch = linked.find(({ kind }) => kind === 'api');
  return (
    <section
      className={styles.links}
      aria-label="Chosen event"
      data-testid="links"
      data-linked={linked.length}
    >
      <div className={styles.bar}>
        <b title={chosen.name}>{chosen.name === '' ? chosen.kind : chosen.name}</b>
        <span className={styles.quiet}>
          {duration(chosen.endNs - chosen.startNs)} from {duration(chosen.startNs - startNs)}
          {chosen.kind === 'kernel' && launch !== undefined
            ? ` · began ${duration(Math.abs(chosen.startNs - launch.endNs))} ${chosen.startNs < launch.endNs ? 'before' : 'after'} its launch call returned`
            : ''}
          {chosen.kind !== 'kernel' && links.kernels > 0
            ? ` · ${links.kernels} ${links.kernels === 1 ? 'kernel' : 'kernels'}, ${duration(links.kernelNs)} on the GPU`
            : ''}
        </span>
        <span className={styles.gap} />
        <ActionIcon size={20} aria-label="Close the chosen event" onClick={onClose}>
          <IconX size={13} />
        </ActionIcon>
      </div>
      {linked.length === 0 ? (
        <p className={styles.quiet}>{nothing[chosen.kind]}</p>
      ) : (
        <ul>
          {linked.slice(0, most).map((event) => (
            <li key={`${event.lane} ${event.startNs} ${event.endNs}`}>
              <button type="button" className={styles.rowButton} onClick={() => onJump(event)}>
                {role[event.kind]} <span>{event.name}</span> {duration(event.endNs - event.startNs)}
              </button>
            </li>
          ))}
          {linked.length > most && (
            <li className={styles.quiet}>and {linked.length - most} more, framed above</li>
          )}
        </ul>
      )}
    </section>
  );
}

const role: Readonly<Record<TimelineEvent['kind'], string>> = {
  range: 'in range',
  api: 'launched by',
  kernel: 'kernel',
  copy: 'copy',
  os: 'system call',
};

const nothing: Readonly<Record<TimelineEvent['kind'], string>> = {
  range: 'No kernel was launched in this range.',
  api: 'This call launched no recorded kernel.',
  kernel: 'Its launch call was not recorded.',
  copy: 'Copies are not linked to their calls.',
  os: 'System calls belong to no kernel.',
};
