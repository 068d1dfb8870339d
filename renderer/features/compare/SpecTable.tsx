import { Button, Switch } from '@mantine/core';
import { useEffect, useState } from 'react';
import { useStore } from 'zustand';
import { runCommand } from '../../state/commandRegistry.ts';
import type { ComparedPair } from '../../state/runNames.ts';
import { useWorkbench } from '../../state/workbench.ts';
import styles from './Compare.module.css';
import { type FoldedRow, foldedRows, isChosen, type SpecRow, specRows } from './specDifference.ts';

/** Everything that could have changed the result, side by side. */
export function SpecTable({ baseline, optimized, names }: ComparedPair) {
  const workbench = useWorkbench();
  const diffOnly = useStore(workbench.runs, (state) => state.diffOnly);
  const rows = useSpecs(baseline.run, optimized.run);
  const [isOpen, setIsOpen] = useState(false);
  const shown = foldedRows(diffOnly ? rows.filter((row) => !row.isEqual) : rows);
  const chosen = shown.filter(isChosen);
  const derived = shown.filter((row) => !isChosen(row));
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
            {chosen.map((row) => (
              <SpecLine key={row.path} row={row} />
            ))}
            {isOpen && derived.map((row) => <SpecLine key={`${row.path} ${row.baseline}`} row={row} />)}
            {derived.length > 0 && (
              <tr>
                <td colSpan={3}>
                  <Button
                    variant="subtle"
                    size="compact-xs"
                    aria-expanded={isOpen}
                    onClick={() => setIsOpen(!isOpen)}
                  >
                    {isOpen ? 'Hide' : 'Show'} {rowsOf(derived)} rows that follow from them
                  </Button>
                </td>
              </tr>
            )}
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

const rowsOf = (rows: readonly FoldedRow[]): number => rows.reduce((sum, row) => sum + row.rows, 0);

const SpecLine = ({ row }: { readonly row: FoldedRow }) => (
  <tr data-equal={row.isEqual}>
    <td className="mono">
      {row.path}
      {row.rows > 1 && ` (${row.rows}×)`}
    </td>
    <td className="mono">{row.baseline}</td>
    <td className="mono">
      {!row.isEqual && <span className={styles.differs}>≠ </span>}
      {row.optimized}
    </td>
  </tr>
);

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
