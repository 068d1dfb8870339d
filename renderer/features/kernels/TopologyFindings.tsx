import { probeFindings } from '../../../workloads/cuda/topologyFindings.ts';
import styles from './Kernels.module.css';

/** What the topology probe found; nothing for other targets. */
export function TopologyFindings({ findings }: { readonly findings: unknown }) {
  const parsed = probeFindings.safeParse(findings);
  if (!parsed.success) return null;
  const { gpus, links } = parsed.data;
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
      <table className={styles.table}>
        <thead>
          <tr>
            <th>Link</th>
            <th>Variant</th>
            <th className={styles.number}>GB/s</th>
            <th>How</th>
          </tr>
        </thead>
        <tbody>
          {links.map((link) => (
            <tr key={`${link.from} ${link.to} ${link.variant}`}>
              <td>
                {link.from} → {link.to}
              </td>
              <td>{link.variant}</td>
              <td className={styles.number}>
                {link.bytesPerSecond === undefined ? '–' : (link.bytesPerSecond / 1e9).toPrecision(3)}
              </td>
              <td>{link.how}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
