import styles from './Badges.module.css';
import { variantToken } from './variantColour.ts';

/** A variant's name with its colour and shape: round is the baseline, square everything else. */
export function VariantName({ variant }: { readonly variant: string }) {
  return (
    <span className={styles.variant}>
      <span
        className={styles.swatch}
        data-variant={variant}
        style={{ background: `var(${variantToken(variant)})` }}
      />
      {variant === 'a_b' ? 'A/B' : variant}
    </span>
  );
}
