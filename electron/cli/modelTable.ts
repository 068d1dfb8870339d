import { formatMetric } from '../../workloads/metrics/format.ts';
import type { Summary } from '../../workloads/run/summary.ts';
import { textTable } from './textTable.ts';

/** Requests by the model that answered them, in each run; undefined where no run records complexity. */
export function modelTable(names: readonly string[], summaries: readonly Summary[]): string | undefined {
  const rows = summaries.flatMap((summary, i) =>
    (summary.quality?.models ?? [])
      .filter((model) => model.instances > 0)
      .map((model) => [
        model.model,
        names[i] ?? '',
        String(model.gpus),
        formatMetric('completed', model.completed),
        model.completed === 0 ? '–' : formatMetric('adequate_share', model.adequate / model.completed),
        formatMetric('gpu_seconds', model.gpu_seconds),
      ]),
  );
  if (rows.length === 0) return undefined;
  return textTable(
    [
      { title: 'model' },
      { title: 'variant' },
      { title: 'GPUs', align: 'right' },
      { title: 'answered', align: 'right' },
      { title: 'adequately', align: 'right' },
      { title: 'GPU time', align: 'right' },
    ],
    rows,
  );
}
