import { useEffect, useState } from 'react';
import { useStore } from 'zustand';
import type { MachineTopology } from '../../../electron/contract/topology.ts';
import { errorOf } from '../../state/hostClient.ts';
import type { Loading } from '../../state/runDetails.ts';
import { useWorkbench } from '../../state/workbench.ts';
import styles from './Topology.module.css';

/** How the GPUs of this machine are wired: what is near each, and a matrix of the links between them. */
export function TopologyPanel() {
  const { client, runs } = useWorkbench();
  const hasGpus = useStore(runs, (state) => (state.machine?.gpus.length ?? 0) > 0);
  const [topology, setTopology] = useState<Loading<MachineTopology>>({ kind: 'none' });
  useEffect(() => {
    if (!hasGpus) return;
    let isCurrent = true;
    client.request('machine.topology', {}).then(
      (value) => {
        if (isCurrent) setTopology({ kind: 'ready', value });
      },
      (thrown: unknown) => {
        if (isCurrent) setTopology({ kind: 'failed', error: errorOf(thrown) });
      },
    );
    return () => {
      isCurrent = false;
    };
  }, [client, hasGpus]);
  if (topology.kind === 'failed')
    return <p className={styles.quiet}>The wiring is not known: {topology.error.message}</p>;
  if (topology.kind !== 'ready') return null;
  const { gpus, links, numa } = topology.value;
  return (
    <section className={styles.panel} aria-label="Topology" data-testid="topology">
      <h2>How they are wired</h2>
      <div className={styles.tables}>
        <table className={styles.table}>
          <thead>
            <tr>
              <th>GPU</th>
              <th>PCI</th>
              <th>PCIe</th>
              <th className={styles.number}>NUMA</th>
              <th>Processors near it</th>
            </tr>
          </thead>
          <tbody>
            {gpus.map((gpu) => (
              <tr key={gpu.index}>
                <td title={gpu.name}>
                  {gpu.index}
                  {gpu.instances.length > 0 && (
                    <span className={styles.quiet} title={gpu.instances.join(', ')}>
                      {' '}
                      MIG, {gpu.instances.length} {gpu.instances.length === 1 ? 'instance' : 'instances'}
                    </span>
                  )}
                </td>
                <td className="mono">{gpu.pci ?? '–'}</td>
                <td title="Now, of what it can; an idle link slows down">{gpu.pcie ?? '–'}</td>
                <td className={styles.number}>{gpu.numa ?? '–'}</td>
                <td className={styles.wide}>{gpu.processors ?? '–'}</td>
              </tr>
            ))}
          </tbody>
        </table>
        {links.length > 0 && <Matrix gpus={gpus} links={links} />}
      </div>
      {numa.length > 1 && (
        <p className={styles.quiet}>
          NUMA distances (10 is the node itself):{' '}
          {numa.map(({ node, distances }) => `node ${node}: ${distances.join(' ')}`).join('; ')}
        </p>
      )}
    </section>
  );
}

function Matrix({ gpus, links }: Pick<MachineTopology, 'gpus' | 'links'>) {
  return (
    <table className={`${styles.table} ${styles.matrix}`} aria-label="Links between GPUs">
      <thead>
        <tr>
          <th>from ╲ to</th>
          {gpus.map(({ index }) => (
            <th key={index}>GPU {index}</th>
          ))}
        </tr>
      </thead>
      <tbody>
        {gpus.map((from) => (
          <tr key={from.index}>
            <th scope="row">GPU {from.index}</th>
            {gpus.map((to) => {
              const link = links.find((each) => each.from === from.index && each.to === to.index);
              return (
                <td
                  key={to.index}
                  data-kind={link === undefined ? 'self' : link.nvlinks > 0 ? 'nvlink' : 'pcie'}
                  title={link === undefined ? '' : titleOf(link)}
                >
                  {link === undefined ? '—' : link.link}
                  {link !== undefined && (
                    <span className={styles.peer}>
                      {link.bytes_per_s === undefined ? '' : `${(link.bytes_per_s / 1e9).toFixed(0)} GB/s · `}
                      {link.peer === 'yes' ? '✓ peer' : `peer ${link.peer}`}
                    </span>
                  )}
                </td>
              );
            })}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

const titleOf = (link: MachineTopology['links'][number]): string =>
  [
    `nearest common point on PCIe: ${link.path ?? 'not told'}`,
    `peer access: ${link.peer}`,
    link.bytes_per_s === undefined
      ? undefined
      : `${(link.bytes_per_s / 1e9).toFixed(1)} GB/s each way, nominal, all links together`,
  ]
    .filter((line) => line !== undefined)
    .join('\n');
