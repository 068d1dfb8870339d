import { SegmentedControl, VisuallyHidden } from '@mantine/core';
import { useState } from 'react';
import type { GapRow, NameRow, TimelineTables } from '../../../electron/contract/captures.ts';
import { absentText, threeFigures } from '../../../workloads/metrics/format.ts';
import { useRoving } from '../../ui/roving.ts';
import { amount, duration } from '../roofline/PointInspector.tsx';
import styles from './Captures.module.css';

const tables = [
  { id: 'kernels', label: 'Kernels' },
  { id: 'gaps', label: 'Gaps' },
  { id: 'ranges', label: 'NVTX ranges' },
  { id: 'copies', label: 'Copies' },
  { id: 'apiCalls', label: 'CUDA calls' },
  { id: 'osCalls', label: 'System calls' },
] as const;
type TableId = (typeof tables)[number]['id'];

interface CaptureTablesProps {
  /** Of the part that the timeline shows. */
  readonly shown: TimelineTables;
  /** Only rows whose name holds this. */
  readonly search: string;
  /** Start of the recording, ns on its clock. */
  readonly startNs: number;
  readonly onGap: (gap: GapRow) => void;
  readonly onName: (name: string) => void;
}

/** What the timeline shows, by name: it follows its zoom and the search. */
export function CaptureTables({ shown, search, startNs, onGap, onName }: CaptureTablesProps) {
  const [table, setTable] = useState<TableId>(
    () => tables.find(({ id }) => shown[id].length > 0)?.id ?? 'kernels',
  );
  const wanted = search.toLowerCase();
  const isWanted = (name: string) => name.toLowerCase().includes(wanted);
  const named = (rows: readonly NameRow[]) => rows.filter(({ name }) => isWanted(name));
  const found: TimelineTables = {
    kernels: named(shown.kernels),
    ranges: named(shown.ranges),
    apiCalls: named(shown.apiCalls),
    osCalls: named(shown.osCalls),
    copies: shown.copies.filter(({ kind }) => isWanted(kind)),
    gaps: shown.gaps.filter(({ nextKernel }) => isWanted(nextKernel)),
  };
  const label = tables.find(({ id }) => id === table)?.label ?? '';
  return (
    <>
      <SegmentedControl
        className={styles.tabs ?? ''}
        aria-label="Table"
        data={tables.map((each) => ({ value: each.id, label: `${each.label} ${found[each.id].length}` }))}
        value={table}
        onChange={(value) => setTable(tables.find(({ id }) => id === value)?.id ?? 'kernels')}
      />
      {found[table].length === 0 ? (
        <p className={styles.quiet}>
          {label}: none{' '}
          {search === '' ? 'in the part that is shown' : `with “${search}” in the part that is shown`}.
        </p>
      ) : table === 'copies' ? (
        <CopiesTable rows={found.copies} />
      ) : table === 'gaps' ? (
        <GapTable rows={found.gaps} startNs={startNs} onGap={onGap} />
      ) : (
        <NameTable rows={found[table]} onName={onName} />
      )}
    </>
  );
}

export const percent = (share: number): string => `${threeFigures(share * 100)} %`;

const causes: Readonly<Record<GapRow['cause'], string>> = {
  host: 'waiting for the host: launched too late',
  kernel: 'hand-over between kernels',
  other: 'launched in time: an event, a copy or another stream',
  unknown: 'not known: its launch call was not recorded',
};

function GapTable({
  rows,
  startNs,
  onGap,
}: {
  readonly rows: readonly GapRow[];
  readonly startNs: number;
  readonly onGap: (gap: GapRow) => void;
}) {
  const roving = useRoving<HTMLTableSectionElement>('tr');
  return (
    <table className={styles.table} data-testid="gaps" data-rows={rows.length}>
      <thead>
        <tr>
          <th>Kernel after it</th>
          <th>Length</th>
          <th>From</th>
          <th>GPU</th>
          <th>Cause</th>
          <th>
            <VisuallyHidden>Jump</VisuallyHidden>
          </th>
        </tr>
      </thead>
      <tbody {...roving}>
        {rows.map((gap) => (
          <tr key={`${gap.device} ${gap.startNs}`}>
            <td title={gap.nextKernel}>{gap.nextKernel}</td>
            <td>{duration(gap.endNs - gap.startNs)}</td>
            <td>{duration(gap.startNs - startNs)}</td>
            <td>{gap.device}</td>
            <td>{causes[gap.cause]}</td>
            <td>
              <button type="button" className={styles.rowButton} onClick={() => onGap(gap)}>
                Show
              </button>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function NameTable({
  rows,
  onName,
}: {
  readonly rows: readonly NameRow[];
  readonly onName: (name: string) => void;
}) {
  const roving = useRoving<HTMLTableSectionElement>('tr');
  return (
    <table className={styles.table} data-testid="names" data-rows={rows.length}>
      <thead>
        <tr>
          <th>Name</th>
          <th>n</th>
          <th>Total</th>
          <th>Share</th>
          <th>Median</th>
          <th>Min</th>
          <th>Max</th>
          <th>
            <VisuallyHidden>Find</VisuallyHidden>
          </th>
        </tr>
      </thead>
      <tbody {...roving}>
        {rows.slice(0, 200).map((row) => (
          <tr key={row.name}>
            <td title={row.name}>{row.name}</td>
            <td>{row.count}</td>
            <td>{duration(row.totalNs)}</td>
            <td>
              <span className={styles.share} style={{ width: `${row.share * 40}px` }} /> {percent(row.share)}
            </td>
            <td>{duration(row.medianNs)}</td>
            <td>{duration(row.minNs)}</td>
            <td>{duration(row.maxNs)}</td>
            <td>
              <button
                type="button"
                className={styles.rowButton}
                aria-label={`Find ${row.name}`}
                onClick={() => onName(row.name)}
              >
                Find
              </button>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function CopiesTable({ rows }: { readonly rows: TimelineTables['copies'] }) {
  return (
    <table className={styles.table}>
      <thead>
        <tr>
          <th>Kind</th>
          <th>n</th>
          <th>Bytes</th>
          <th>Total</th>
          <th>Rate</th>
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <tr key={row.kind}>
            <td>{row.kind}</td>
            <td>{row.count}</td>
            <td>{amount(row.bytes, 'B')}</td>
            <td>{duration(row.totalNs)}</td>
            <td>{row.bytesPerSec === undefined ? absentText : amount(row.bytesPerSec, 'B/s')}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
