import { formatMetric, threeFigures } from '../../../workloads/metrics/format.ts';
import { shortNames } from '../../state/shortNames.ts';
import { useWorkbench } from '../../state/workbench.ts';
import styles from './ScoreBars.module.css';

export interface Candidate {
  readonly instance: number;
  readonly name: string;
  readonly score: number;
  readonly isChosen: boolean;
  readonly terms: Readonly<Record<string, number>>;
}

/** Characters of a name beside its bar. */
const mostName = 13;

interface ScoreBarsProps {
  readonly candidates: readonly Candidate[];
  readonly termIds: readonly string[];
  /** Names and figures beside the bars; without, a compact strip. */
  readonly isDetailed: boolean;
}

/**
 * Each candidate's score as a row of stacked terms: what speaks for it to the right of the zero line, what speaks against it
 * to the left. The chosen one is marked.
 */
export function ScoreBars({ candidates, termIds, isDetailed }: ScoreBarsProps) {
  const { terms } = useWorkbench();
  const sums = candidates.map((candidate) => {
    const values = termIds.map((id) => candidate.terms[id] ?? 0);
    return {
      plus: values.filter((value) => value > 0).reduce((a, b) => a + b, 0),
      minus: values.filter((value) => value < 0).reduce((a, b) => a + b, 0),
    };
  });
  const { labels } = shortNames(
    candidates.map(({ name }) => name),
    mostName,
  );
  const high = Math.max(...sums.map((sum) => sum.plus), 0);
  const low = Math.min(...sums.map((sum) => sum.minus), 0);
  const extent = Math.max(high - low, Number.MIN_VALUE);
  const zero = (-low / extent) * 100;
  return (
    <div className={isDetailed ? styles.detailed : styles.compact}>
      {candidates.map((candidate, index) => {
        let right = zero;
        let left = zero;
        return (
          <div key={candidate.instance} className={styles.row} data-chosen={candidate.isChosen}>
            <span className={styles.mark} aria-hidden>
              {candidate.isChosen ? '▸' : ''}
            </span>
            {isDetailed && (
              <span className={styles.name} title={candidate.name}>
                {labels[index]}
              </span>
            )}
            <span
              className={styles.track}
              role="img"
              aria-label={`${candidate.name}: ${termIds.map((id) => `${id} ${threeFigures(candidate.terms[id] ?? 0)}`).join(', ')}`}
            >
              <span className={styles.zero} style={{ left: `${zero}%` }} />
              {termIds.map((id) => {
                const value = candidate.terms[id] ?? 0;
                const width = (Math.abs(value) / extent) * 100;
                const start = value >= 0 ? right : left - width;
                if (value >= 0) right += width;
                else left -= width;
                return width < 0.05 ? null : (
                  <span
                    key={id}
                    className={styles.term}
                    title={`${id} ${value}`}
                    style={{ left: `${start}%`, width: `${width}%`, background: `var(${terms.tokenOf(id)})` }}
                  />
                );
              })}
            </span>
            {isDetailed && (
              <span className={styles.score} title={String(candidate.score)}>
                {formatMetric('', candidate.score)}
              </span>
            )}
          </div>
        );
      })}
    </div>
  );
}

export function TermLegend({ termIds }: { readonly termIds: readonly string[] }) {
  const { terms } = useWorkbench();
  return (
    <div className={styles.legend}>
      {termIds.map((id) => (
        <span key={id}>
          <span className={styles.swatch} style={{ background: `var(${terms.tokenOf(id)})` }} />
          {id.replaceAll('_', ' ')}
        </span>
      ))}
    </div>
  );
}
