import { SimulatedBadge } from '../charts/SimulatedBadge.tsx';
import styles from './Badges.module.css';

const titles: Readonly<Record<string, string>> = { cuda: 'cuda', http: 'http' };

/** Which engine made the numbers; the simulator's is the hatched one. */
export function EngineBadge({ engine }: { readonly engine: string }) {
  if (engine === 'sim') return <SimulatedBadge />;
  return <span className={styles.engine}>{titles[engine] ?? engine}</span>;
}
