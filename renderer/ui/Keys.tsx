import { capsOf, isMac } from '../state/keys.ts';
import styles from './Keys.module.css';

/** Key caps. */
export function Keys({ keys }: { readonly keys: string }) {
  return (
    <span className={styles.keys}>
      {capsOf(keys, isMac(navigator.platform)).map((cap) => (
        <kbd key={cap}>{cap}</kbd>
      ))}
    </span>
  );
}
