import { Button, SegmentedControl } from '@mantine/core';
import { IconChartLine, IconDownload } from '@tabler/icons-react';
import { type ReactNode, useState } from 'react';
import type {
  CaptureContents,
  CountersContents,
  GpuActivity,
  NameRow,
  TimelineContents,
} from '../../../electron/contract/captures.ts';
import type { CaptureInfo } from '../../../electron/contract/protocol.ts';
import { threeFigures } from '../../../workloads/metrics/format.ts';
import { go } from '../../state/actions.ts';
import { exportCaptureTrace } from '../../state/capturesStore.ts';
import { useWorkbench } from '../../state/workbench.ts';
import { amount, duration } from '../roofline/PointInspector.tsx';
import { PointTable } from '../roofline/PointTable.tsx';
import { assessed } from '../roofline/plot.ts';
import { rooflineStore, showCounters } from '../roofline/rooflineStore.ts';
import styles from './Captures.module.css';
import { Timeline } from './Timeline.tsx';

export function CaptureContentsView({
  capture,
  contents,
}: {
  readonly capture: CaptureInfo;
  readonly contents: CaptureContents;
}) {
  return contents.kind === 'nsys' ? (
    <TimelineView capture={capture} contents={contents} />
  ) : (
    <CountersView capture={capture} contents={contents} />
  );
}

const tables = [
  { id: 'kernels', label: 'Kernels' },
  { id: 'ranges', label: 'NVTX ranges' },
  { id: 'copies', label: 'Copies' },
  { id: 'apiCalls', label: 'CUDA calls' },
  { id: 'osCalls', label: 'System calls' },
] as const;
type TableId = (typeof tables)[number]['id'];

function TimelineView({
  capture,
  contents,
}: {
  readonly capture: CaptureInfo;
  readonly contents: TimelineContents;
}) {
  const workbench = useWorkbench();
  const first = tables.find(({ id }) => contents[id].length > 0)?.id ?? 'kernels';
  const [table, setTable] = useState<TableId>(first);
  return (
    <>
      <div className={styles.bar}>
        <span className={styles.quiet}>
          {contents.tool}
          {contents.gpus.length > 0 ? ` · ${contents.gpus.join(', ')}` : ' · no GPU in this recording'}
        </span>
        <span className={styles.gap} />
        <Button
          variant="default"
          size="compact-xs"
          leftSection={<IconDownload size={13} />}
          onClick={() => void exportCaptureTrace(workbench, capture)}
        >
          Chrome trace…
        </Button>
      </div>
      {contents.rows.length === 0 ? (
        <p className={styles.quiet}>This recording holds no event that a timeline could show.</p>
      ) : (
        <Timeline id="capture" capture={capture.capture} title="Timeline" contents={contents} />
      )}
      {contents.activity.map((gpu) => (
        <Activity key={gpu.device} gpu={gpu} />
      ))}
      <SegmentedControl
        className={styles.tabs ?? ''}
        aria-label="Table"
        data={tables.map(({ id, label }) => ({ value: id, label: `${label} ${contents[id].length}` }))}
        value={table}
        onChange={(value) => setTable(tables.find(({ id }) => id === value)?.id ?? 'kernels')}
      />
      {table === 'copies' ? (
        <CopiesTable contents={contents} />
      ) : (
        <NameTable rows={contents[table]} what={tables.find(({ id }) => id === table)?.label ?? ''} />
      )}
      <Missing
        lines={[...contents.missing, ...contents.diagnostics.map((line) => `the tool warned: ${line}`)]}
      />
    </>
  );
}

const percent = (share: number): string => `${threeFigures(share * 100)} %`;

function Activity({ gpu }: { readonly gpu: GpuActivity }) {
  const length = gpu.endNs - gpu.startNs;
  const longest = gpu.bubbles[0];
  return (
    <section className={styles.activity} aria-label={`GPU ${gpu.device}`} data-testid="activity">
      <Figure
        label={`GPU ${gpu.device} busy`}
        value={percent(gpu.busyNs / Math.max(1, length))}
        note={`of ${duration(length)}`}
      />
      <Figure
        label="Idle bubbles"
        value={duration(gpu.idleNs)}
        note={longest === undefined ? 'none' : `longest ${duration(longest.endNs - longest.startNs)}`}
      />
      <Figure label="Waiting for the host" value={duration(gpu.idleByCause.host)} note="launched too late" />
      <Figure label="Hand-over" value={duration(gpu.idleByCause.kernel)} note="≤ 3 µs between kernels" />
      <Figure
        label="Other waits"
        value={duration(gpu.idleByCause.other + gpu.idleByCause.unknown)}
        note="events, copies, unknown"
      />
      <Figure label="Two kernels at once" value={percent(gpu.concurrentKernels)} note="of the busy time" />
      {gpu.copiesHidden !== undefined && (
        <Figure label="Copies hidden" value={percent(gpu.copiesHidden)} note="behind kernels" />
      )}
      {gpu.communicationHidden !== undefined && (
        <Figure label="Communication hidden" value={percent(gpu.communicationHidden)} note="behind kernels" />
      )}
    </section>
  );
}

const Figure = ({
  label,
  value,
  note,
}: {
  readonly label: string;
  readonly value: string;
  readonly note: string;
}) => (
  <div>
    <span>{label}</span>
    <b>{value}</b>
    <small>{note}</small>
  </div>
);

function NameTable({ rows, what }: { readonly rows: readonly NameRow[]; readonly what: string }) {
  if (rows.length === 0) return <p className={styles.quiet}>{what}: none in this recording.</p>;
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
        </tr>
      </thead>
      <tbody>
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
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function CopiesTable({ contents }: { readonly contents: TimelineContents }) {
  if (contents.copies.length === 0) return <p className={styles.quiet}>Copies: none in this recording.</p>;
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
        {contents.copies.map((row) => (
          <tr key={row.kind}>
            <td>{row.kind}</td>
            <td>{row.count}</td>
            <td>{amount(row.bytes, 'B')}</td>
            <td>{duration(row.totalNs)}</td>
            <td>{row.bytesPerSec === undefined ? '–' : amount(row.bytesPerSec, 'B/s')}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function CountersView({
  capture,
  contents,
}: {
  readonly capture: CaptureInfo;
  readonly contents: CountersContents;
}) {
  const workbench = useWorkbench();
  const ceilings = contents.ceilings ?? {
    card: contents.card ?? 'unknown',
    memory: {},
    compute: {},
    absent: [],
  };
  const show = (id?: string) => {
    showCounters(capture, contents.points, ceilings, contents.missing);
    if (id !== undefined) rooflineStore.setState({ selected: id });
    go(workbench, 'roofline');
  };
  return (
    <>
      <div className={styles.bar}>
        <span className={styles.quiet}>
          {contents.points.length} kernel launches{contents.card === undefined ? '' : ` on ${contents.card}`}{' '}
          · read by {contents.readBy === 'ncu' ? 'ncu' : 'Dyno itself'}
        </span>
        <span className={styles.gap} />
        <Button size="compact-xs" leftSection={<IconChartLine size={13} />} onClick={() => show()}>
          Show on the roofline
        </Button>
      </div>
      <PointTable
        points={contents.points.map((point) => assessed(point, ceilings))}
        selected={undefined}
        onSelect={show}
      />
      <Missing lines={contents.missing} />
    </>
  );
}

const Missing = ({ lines }: { readonly lines: readonly string[] }): ReactNode =>
  lines.length === 0 ? null : (
    <details className={styles.missing}>
      <summary>What this report lacks ({lines.length})</summary>
      <ul className="selectable">
        {[...new Set(lines)].map((line) => (
          <li key={line}>{line}</li>
        ))}
      </ul>
    </details>
  );
