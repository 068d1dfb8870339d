import { clientErrors } from '../../../workloads/metrics/clientErrors.ts';
import { formatMetric } from '../../../workloads/metrics/format.ts';
import { useRunDetail } from '../../state/runDetails.ts';
import type { ComparedPair } from '../../state/runNames.ts';
import styles from './Compare.module.css';

/** The error bar of both sides where a load generator measured servers, and the state of the servers' prefix caches. */
export function ClientTable({ baseline, optimized, names, tokens }: ComparedPair) {
  const left = useRunDetail(baseline.run);
  const right = useRunDetail(optimized.run);
  const sides = [left, right].flatMap((detail, i) => {
    const summary = detail.kind === 'ready' ? detail.value.summary : undefined;
    const client = summary?.client;
    if (summary === undefined || client === undefined) return [];
    const errors = clientErrors(client, summary.metrics);
    return [{ run: names[i] ?? '', token: tokens[i] ?? '', errors, client, hitRate: summary.kv.hit_rate }];
  });
  const [first] = sides;
  if (first === undefined) return null;
  const doubts = sides.flatMap(({ run, client }) => client.doubts.map((doubt) => `${run}: ${doubt}`));
  return (
    <section className={styles.stack} aria-label="Load generator" data-testid="client-table">
      <div className={styles.sectionHead}>
        <h2>Load generator</h2>
      </div>
      <div className={styles.panel}>
        <table className={`${styles.table} selectable`}>
          <thead>
            <tr>
              <th>Run</th>
              {first.errors.map(({ id, label, definition }) => (
                <th key={id} className={styles.number} title={definition}>
                  {label}
                </th>
              ))}
              <th title="How each server's prefix cache was kept cold at the start of the run.">
                Cold cache by
              </th>
              <th
                className={styles.number}
                title="Cached tokens of all prompts, as the servers reported them in this run."
              >
                Hit rate
              </th>
            </tr>
          </thead>
          <tbody>
            {sides.map(({ run, token, errors, client, hitRate }, i) => (
              <tr key={`${run} ${i === 0 ? 'left' : 'right'}`}>
                <td>
                  <span className={styles.swatch} style={{ background: `var(${token})` }} /> {run}
                </td>
                {errors.map(({ id, text, doubt }) => (
                  <td key={id} className={styles.number} data-error={id} data-past={doubt !== undefined}>
                    {text ?? 'not measured'}
                    {doubt !== undefined && (
                      <span className={styles.doubted} role="img" aria-label={doubt} title={doubt}>
                        {' '}
                        ▲
                      </span>
                    )}
                  </td>
                ))}
                <td>{[...new Set(client.servers.map(({ cold_cache: by }) => by))].join(', ')}</td>
                <td className={styles.number}>
                  {client.servers.some(({ hit_rate: rate }) => rate !== undefined)
                    ? formatMetric('prefix_hit_rate', hitRate)
                    : 'not reported'}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
        {doubts.map((doubt) => (
          <p key={doubt} className={styles.doubt}>
            {doubt}
          </p>
        ))}
      </div>
    </section>
  );
}
