import { probeFindings } from '../../../workloads/kernels/topologyFindings.ts';
import { groupedBy } from '../../state/grouped.ts';
import styles from './Kernels.module.css';

/** The findings of the topology probe; draws nothing for other targets. */
export function TopologyFindings({ findings }: { readonly findings: unknown }) {
  const parsed = probeFindings.safeParse(findings);
  if (!parsed.success) return null;
  const { gpus, links } = parsed.data;
  const variants = [...new Set(links.map(({ variant }) => variant))];
  const ways = [...groupedBy(links, ({ from, to }) => `${from} → ${to}`)];
  return (
    <div className={styles.two} data-testid="topology-findings">
      <table className={styles.table}>
        <thead>
          <tr>
            <th>GPU</th>
            <th>Name</th>
            <th>PCI</th>
            <th className={styles.number}>NUMA node</th>
            <th>Processors near it</th>
          </tr>
        </thead>
        <tbody>
          {gpus.map((gpu) => (
            <tr key={gpu.index}>
              <td>{gpu.index}</td>
              <td>{gpu.name}</td>
              <td className="mono">{gpu.pciAddress}</td>
              <td className={styles.number}>{gpu.numaNode ?? 'not told'}</td>
              <td>{gpu.cpuAffinity ?? 'not told'}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <table className={styles.table} aria-label="Links">
        <thead>
          <tr>
            <th>Link</th>
            <th className={styles.number}>NVLinks</th>
            {variants.map((variant) => (
              <th key={variant} className={styles.number}>
                {variant}, GB/s
              </th>
            ))}
            <th>How the last one sends</th>
          </tr>
        </thead>
        <tbody>
          {ways.map(([way, own]) => (
            <tr key={way}>
              <td>{way}</td>
              <td className={styles.number}>{own[0]?.nvlinks ?? '–'}</td>
              {variants.map((variant) => {
                const link = own.find((each) => each.variant === variant);
                return (
                  <td key={variant} className={styles.number} title={link?.how}>
                    {link?.bytesPerSecond === undefined ? '–' : (link.bytesPerSecond / 1e9).toPrecision(3)}
                  </td>
                );
              })}
              <td>{own.at(-1)?.how}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
