import { SegmentedControl } from '@mantine/core';
import { useState } from 'react';
import type { InstanceSummary } from '../../../workloads/run/summary.ts';
import { barsOption } from '../../charts/barsOption.ts';
import { ChartBox } from '../../charts/ChartBox.tsx';
import { useRunDetail } from '../../state/runDetails.ts';
import type { ComparedPair } from '../../state/runNames.ts';
import styles from './Compare.module.css';

const quantities = [
  {
    id: 'completed',
    label: 'Requests',
    metric: 'completed',
    of: (instance: InstanceSummary) => Math.max(instance.completed, instance.prefills),
  },
  {
    id: 'tokens',
    label: 'Output tokens',
    metric: 'output_tokens',
    of: (instance: InstanceSummary) => instance.output_tokens,
  },
  {
    id: 'busy',
    label: 'Busy',
    metric: 'busy',
    of: (instance: InstanceSummary) => instance.busy_fraction ?? Number.NaN,
  },
  {
    id: 'queue',
    label: 'Mean queue',
    metric: 'queue_depth',
    of: (instance: InstanceSummary) => instance.queue_mean ?? Number.NaN,
  },
  {
    id: 'kv',
    label: 'KV peak',
    metric: 'kv_used',
    of: (instance: InstanceSummary) => instance.kv_peak_fraction ?? Number.NaN,
  },
] as const;

/** How evenly each run used its instances. */
export function InstanceBars({ baseline, optimized, names: sideNames, tokens, isSimulated }: ComparedPair) {
  const [chosen, setChosen] = useState('completed');
  const left = useRunDetail(baseline.run);
  const right = useRunDetail(optimized.run);
  const quantity = quantities.find((each) => each.id === chosen) ?? quantities[0];
  const sides = [
    {
      label: sideNames[0],
      token: tokens[0],
      summary: left.kind === 'ready' ? left.value.summary : undefined,
    },
    {
      label: sideNames[1],
      token: tokens[1],
      summary: right.kind === 'ready' ? right.value.summary : undefined,
    },
  ];
  const names = [
    ...new Set(sides.flatMap(({ summary }) => summary?.per_instance.map((instance) => instance.name) ?? [])),
  ];
  const bars = sides.map(({ label, token, summary }) => ({
    label,
    token,
    values: names.map((name) => {
      const instance = summary?.per_instance.find((each) => each.name === name);
      return instance === undefined ? Number.NaN : quantity.of(instance);
    }),
  }));
  return (
    <section className={styles.stack} aria-label="Instances">
      <div className={styles.sectionHead}>
        <h2>Balance of the instances</h2>
        <SegmentedControl
          data={quantities.map(({ id, label }) => ({ value: id, label }))}
          value={chosen}
          onChange={setChosen}
          aria-label="Quantity"
        />
      </div>
      <ChartBox
        id="instances"
        title={quantity.label}
        unit="per instance"
        height={Math.max(110, 30 + names.length * 26)}
        isSimulated={isSimulated}
        legend={bars}
        legendNode={bars.map(({ label, token }) => (
          <span key={label} className={styles.barLegend}>
            <span className={styles.swatch} style={{ background: `var(${token})` }} />
            {label}
          </span>
        ))}
        draw={(chart) => {
          chart.setOption(barsOption({ names, bars, metric: quantity.metric, isSimulated }), {
            notMerge: true,
            silent: true,
          });
          return {
            points: bars.flatMap((bar) => bar.values.filter(Number.isFinite)).length,
            last: bars[1]?.values.at(-1) ?? Number.NaN,
          };
        }}
      />
    </section>
  );
}
