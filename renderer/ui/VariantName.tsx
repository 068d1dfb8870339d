import styles from './Badges.module.css';
import { variantToken } from './variantColour.ts';

interface VariantNameProps {
  readonly variant: string;
  /** What the run is called among its neighbours; absent: as its variant. */
  readonly name?: string | undefined;
  readonly token?: string;
}

/** A run's name with its colour and shape: round is the baseline, square everything else. */
export function VariantName({ variant, name, token = variantToken(variant) }: VariantNameProps) {
  return (
    <span className={styles.variant} title={name}>
      <span className={styles.swatch} data-variant={variant} style={{ background: `var(${token})` }} />
      <span className={styles.name}>{name ?? (variant === 'a_b' ? 'A/B' : variant)}</span>
    </span>
  );
}
