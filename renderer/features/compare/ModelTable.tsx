import { formatMetric } from '../../../workloads/metrics/format.ts';
import { metricOf } from '../../../workloads/metrics/registry.ts';
import { useRunDetail } from '../../state/runDetails.ts';
import type { ComparedPair } from '../../state/runNames.ts';
import styles from './Compare.module.css';

/** Which model answered how many requests on both sides, and whether it was large enough; nothing where all serve the same. */
export function ModelTable({ baseline, optimized, names, tokens }: ComparedPair) {
  const left = useRunDetail(baseline.run);
  const right = useRunDetail(optimized.run);
  const sides = [
    { side: 'baseline', name: names[0], token: tokens[0], detail: left },
    { side: 'optimized', name: names[1], token: tokens[1], detail: right },
  ].map(({ side, name, token, detail }) => ({
    side,
    name,
    token,
    quality: detail.kind === 'ready' ? detail.value.summary?.quality : undefined,
  }));
  if (sides.every(({ quality }) => quality === undefined)) return null;
  return (
    <section className={styles.stack} aria-label="Models" data-testid="models">
      <div className={styles.sectionHead}>
        <h2>Answers by model</h2>
      </div>
      <div className={styles.panel}>
        <table className={`${styles.table} selectable`}>
          <thead>
            <tr>
              <th>Run</th>
              <th>Model</th>
              <th className={styles.number}>GPUs</th>
              <th className={styles.number}>Answered</th>
              <th className={styles.number} title={metricOf('adequate_share').definition}>
                Adequately
              </th>
              <th className={styles.number} title={metricOf('gpu_seconds').definition}>
                GPU time
              </th>
            </tr>
          </thead>
          <tbody>
            {sides.flatMap(({ side, name, token, quality }) =>
              quality === undefined
                ? []
                : [
                    ...quality.models.filter((model) => model.instances > 0),
                    {
                      model: 'all',
                      gpus: quality.models.reduce((sum, model) => sum + model.gpus, 0),
                      completed: quality.models.reduce((sum, model) => sum + model.completed, 0),
                      adequate: quality.models.reduce((sum, model) => sum + model.adequate, 0),
                      gpu_seconds: quality.gpu_seconds,
                    },
                  ].map((row) => (
                    <tr key={`${side} ${row.model}`}>
                      <td>
                        <span className={styles.swatch} style={{ background: `var(${token})` }} /> {name}
                      </td>
                      <td className={row.model === 'all' ? undefined : 'mono'}>{row.model}</td>
                      <td className={styles.number}>{row.gpus}</td>
                      <td className={styles.number}>{formatMetric('completed', row.completed)}</td>
                      <td className={styles.number}>
                        {row.completed === 0
                          ? '–'
                          : formatMetric('adequate_share', row.adequate / row.completed)}
                      </td>
                      <td className={styles.number}>{formatMetric('gpu_seconds', row.gpu_seconds)}</td>
                    </tr>
                  )),
            )}
          </tbody>
        </table>
      </div>
    </section>
  );
}
