import { Switch } from '@mantine/core';
import { useEffect, useState } from 'react';
import { useStore } from 'zustand';
import { runCommand } from '../../state/commandRegistry.ts';
import type { ComparedPair } from '../../state/runNames.ts';
import { useWorkbench } from '../../state/workbench.ts';
import styles from './Compare.module.css';
import { type SpecRow, specRows } from './specDifference.ts';

/** Everything that could have changed the result, side by side. */
export function SpecTable({ baseline, optimized, names }: ComparedPair) {
  const workbench = useWorkbench();
  const diffOnly = useStore(workbench.runs, (state) => state.diffOnly);
  const rows = useSpecs(baseline.run, optimized.run);
  const shown = diffOnly ? rows.filter((row) => !row.isEqual) : rows;
  return (
    <section className={styles.stack} aria-label="Specification">
      <div className={styles.sectionHead}>
        <h2>Run spec</h2>
        <Switch
          label="Only what differs"
          checked={diffOnly}
          onChange={() => runCommand(workbench, 'compare.diff-only')}
          labelPosition="left"
        />
      </div>
      <div className={styles.panel}>
        <table className={`${styles.table} selectable`}>
          <thead>
            <tr>
              <th>Path</th>
              <th>{names[0]}</th>
              <th>{names[1]}</th>
            </tr>
          </thead>
          <tbody>
            {shown.map((row) => (
              <tr key={row.path} data-equal={row.isEqual}>
                <td className="mono">{row.path}</td>
                <td className="mono">{row.baseline}</td>
                <td className="mono">
                  {!row.isEqual && <span className={styles.differs}>≠ </span>}
                  {row.optimized}
                </td>
              </tr>
            ))}
            {shown.length === 0 && (
              <tr>
                <td colSpan={3}>The two specs are the same.</td>
              </tr>
            )}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function useSpecs(baseline: string, optimized: string): readonly SpecRow[] {
  const { client } = useWorkbench();
  const [rows, setRows] = useState<readonly SpecRow[]>([]);
  useEffect(() => {
    let isCurrent = true;
    const spec = async (run: string) => {
      const { manifest } = await client.request('runs.open', { run });
      return typeof manifest === 'object' && manifest !== null && 'spec' in manifest ? manifest.spec : {};
    };
    void Promise.all([spec(baseline), spec(optimized)]).then(
      ([left, right]) => {
        if (isCurrent) setRows(specRows(left, right));
      },
      (thrown: unknown) => client.note(thrown),
    );
    return () => {
      isCurrent = false;
    };
  }, [client, baseline, optimized]);
  return rows;
}
