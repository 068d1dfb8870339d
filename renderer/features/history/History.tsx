import {
  ActionIcon,
  Button,
  Checkbox,
  Menu,
  Modal,
  Select,
  TextInput,
  Tooltip,
  VisuallyHidden,
} from '@mantine/core';
import { IconArrowsDiff, IconDots, IconPinFilled, IconSearch, IconTrash } from '@tabler/icons-react';
import {
  createColumnHelper,
  createSortedRowModel,
  rowSelectionFeature,
  rowSortingFeature,
  sortFn_alphanumeric,
  sortFn_basic,
  tableFeatures,
  useTable,
} from '@tanstack/react-table';
import { useVirtualizer } from '@tanstack/react-virtual';
import { useMemo, useRef, useState } from 'react';
import { useStore } from 'zustand';
import type { RunInfo } from '../../../electron/contract/protocol.ts';
import { formatMetric } from '../../../workloads/metrics/format.ts';
import { compare, deleteRuns, exportRun, openRun, pin, refreshRuns } from '../../state/actions.ts';
import { kindOf } from '../../state/kinds/runKinds.ts';
import { bytes, ratioFigures, when } from '../../state/number.ts';
import { useRunNames } from '../../state/runNames.ts';
import { takeSettingsOf } from '../../state/runSettings.ts';
import { inComparisonOrder, mostPins } from '../../state/runsStore.ts';
import { useWorkbench } from '../../state/workbench.ts';
import { EmptyState, ErrorState } from '../../ui/EmptyState.tsx';
import { EngineBadge } from '../../ui/EngineBadge.tsx';
import { useRoving } from '../../ui/roving.ts';
import { StatusName } from '../../ui/StatusName.tsx';
import { VariantName } from '../../ui/VariantName.tsx';
import { EditDialog } from './EditDialog.tsx';
import styles from './History.module.css';
import { parseQuery, settingNames, tellingSettings } from './query.ts';

const features = tableFeatures({
  rowSortingFeature,
  rowSelectionFeature,
  sortedRowModel: createSortedRowModel(),
  sortFns: { alphanumeric: sortFn_alphanumeric, basic: sortFn_basic },
});
const helper = createColumnHelper<typeof features, RunInfo>();
const noRuns: RunInfo[] = [];
/** As in the style sheet: a cell of 32 px and its line. */
const rowHeight = 33;
const mostUnreadable = 200;
/** Settings that differ and have a column. */
const mostSettings = 4;

/** The bundles on disk. */
export function History() {
  const workbench = useWorkbench();
  const { runs, unreadable, isLoaded, error } = useStore(workbench.runs);
  const pinned = useStore(workbench.settings, (state) => state.pinnedRun);
  const names = useRunNames();
  const [query, setQuery] = useState('');
  const [status, setStatus] = useState('all');
  const [editing, setEditing] = useState<RunInfo>();
  const [deleting, setDeleting] = useState<readonly RunInfo[]>([]);
  const roving = useRoving<HTMLTableSectionElement>('tr');
  const scroll = useRef<HTMLDivElement>(null);

  const asked = useMemo(() => parseQuery(query, settingNames(runs)), [query, runs]);
  const shown = useMemo(
    () =>
      runs.length === 0
        ? noRuns
        : runs.filter((run) => asked.matches(run) && (status === 'all' || run.status === status)),
    [runs, asked, status],
  );
  const telling = useMemo(() => tellingSettings(runs, mostSettings), [runs]);
  const columns = useMemo(
    () =>
      helper.columns([
        helper.display({
          id: 'select',
          header: () => <VisuallyHidden>Select</VisuallyHidden>,
          cell: ({ row }) => (
            <Checkbox
              size="xs"
              checked={row.getIsSelected()}
              onChange={row.getToggleSelectedHandler()}
              aria-label={`Select ${row.original.run}`}
            />
          ),
        }),
        helper.accessor('started', {
          header: 'Started',
          cell: ({ row: { original } }) => <span title={original.started}>{when(original.started)}</span>,
          sortFn: 'basic',
        }),
        helper.accessor('target', {
          header: 'Workload',
          cell: ({ row: { original } }) => <span className="mono">{original.target}</span>,
          sortFn: 'alphanumeric',
        }),
        helper.accessor('variant', {
          header: 'Run',
          cell: ({ row: { original } }) => (
            <VariantName variant={original.variant} name={names.get(original.run)} />
          ),
          sortFn: 'alphanumeric',
        }),
        ...telling.map((setting) =>
          helper.accessor((run) => run.settings?.[setting] ?? '', {
            id: `setting-${setting}`,
            header: setting.replaceAll('_', ' '),
            cell: ({ row: { original } }) => (
              <span className={styles.setting}>{String(original.settings?.[setting] ?? '–')}</span>
            ),
            sortFn: 'alphanumeric',
          }),
        ),
        helper.accessor('engine', {
          header: 'Engine',
          cell: ({ row: { original } }) => <EngineBadge engine={original.engine} />,
          sortFn: 'alphanumeric',
        }),
        helper.accessor('status', {
          header: 'Status',
          cell: ({ row: { original } }) => <RunStatus run={original} />,
          sortFn: 'alphanumeric',
        }),
        helper.accessor((run) => run.requests ?? -1, {
          id: 'requests',
          header: 'Size',
          cell: ({ row: { original } }) => <span>{kindOf(original).size(original)}</span>,
          sortFn: 'basic',
        }),
        helper.accessor((run) => run.headline.ttft_p95_ms ?? -1, {
          id: 'ttft',
          header: 'TTFT p95',
          cell: ({ row: { original } }) => metric('ttft_ms', original.headline.ttft_p95_ms),
          sortFn: 'basic',
        }),
        helper.accessor((run) => run.headline.goodput_rps ?? -1, {
          id: 'goodput',
          header: 'Goodput',
          cell: ({ row: { original } }) => metric('goodput_rps', original.headline.goodput_rps),
          sortFn: 'basic',
        }),
        ...(runs.some(({ kernel }) => kernel !== undefined)
          ? [
              helper.accessor((run) => run.kernel?.ratio ?? -1, {
                id: 'ratio',
                header: 'Time ratio',
                cell: ({ row: { original } }) => <KernelRatio run={original} />,
                sortFn: 'basic',
              }),
            ]
          : []),
        helper.accessor('note', {
          header: 'Tags and note',
          cell: ({ row: { original } }) => (
            <Annotation
              run={original}
              isPinned={original.run === pinned}
              onEdit={() => setEditing(original)}
            />
          ),
          sortFn: 'alphanumeric',
        }),
        helper.accessor('bytes', {
          header: 'On disk',
          cell: ({ row: { original } }) => bytes(original.bytes),
          sortFn: 'basic',
        }),
        helper.display({
          id: 'menu',
          header: () => <VisuallyHidden>Actions</VisuallyHidden>,
          cell: ({ row }) => (
            <RowMenu
              run={row.original}
              onEdit={() => setEditing(row.original)}
              onDelete={() => setDeleting([row.original])}
            />
          ),
        }),
      ]),
    [pinned, runs, names, telling],
  );
  const table = useTable({
    features,
    columns,
    data: shown,
    getRowId: (run) => run.run,
    initialState: { sorting: [{ id: 'started', desc: true }] },
  });
  const rows = table.getRowModel().rows;
  // Only the rows in sight are in the page: ten thousand would take seconds and gigabytes.
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroll.current,
    estimateSize: () => rowHeight,
    overscan: 12,
  });
  const items = virtual.getVirtualItems();
  const drawn = items.flatMap(({ index }) => rows[index] ?? []);
  const above = items[0]?.start ?? 0;
  const below = Math.max(0, virtual.getTotalSize() - (items.at(-1)?.end ?? 0));
  const selected = rows.filter((row) => row.getIsSelected()).map((row) => row.original);

  if (error !== undefined)
    return (
      <ErrorState title="The runs could not be listed" error={error}>
        <Button size="xs" onClick={() => void refreshRuns(workbench)}>
          Try again
        </Button>
      </ErrorState>
    );
  if (isLoaded && runs.length === 0 && unreadable.length === 0)
    return (
      <EmptyState
        title="No runs on disk"
        commands={[{ id: 'run.default-lab', label: 'Run the default lab', isMain: true }]}
      >
        Every run leaves a folder that can be opened, copied or zipped; they are listed here with their tags
        and notes.
      </EmptyState>
    );
  return (
    <div className={styles.history} data-testid="history" data-runs={runs.length}>
      <header className={styles.head}>
        <TextInput
          value={query}
          onChange={(event) => setQuery(event.currentTarget.value)}
          data-search
          placeholder="gpu=h100 router=sglang tp=2 ttft_p95<500, or words"
          aria-label="Filter runs"
          leftSection={<IconSearch size={14} />}
          w={340}
          error={asked.problem !== undefined}
          spellCheck={false}
        />
        <Select
          data={['all', 'done', 'running', 'interrupted', 'cancelled', 'failed']}
          value={status}
          onChange={(value) => setStatus(value ?? 'all')}
          w={120}
          aria-label="Status"
        />
        <span className={styles.count}>
          {shown.length === runs.length ? `${runs.length}` : `${shown.length} of ${runs.length}`}{' '}
          {runs.length === 1 ? 'run' : 'runs'}
        </span>
        <span className={styles.gap} />
        {selected.length > 0 && (
          <>
            <span className={styles.count}>{selected.length} selected</span>
            <Tooltip label="Two to six runs compare: the one called baseline, else the oldest, is the baseline">
              <Button
                size="compact-xs"
                disabled={selected.length < 2 || selected.length > 2 + mostPins}
                leftSection={<IconArrowsDiff size={13} />}
                onClick={() => {
                  const [left, right, ...more] = inComparisonOrder(selected);
                  if (left === undefined || right === undefined) return;
                  compare(
                    workbench,
                    left.run,
                    right.run,
                    more.map(({ run }) => run),
                  );
                }}
              >
                Compare
              </Button>
            </Tooltip>
            <Button
              size="compact-xs"
              variant="default"
              leftSection={<IconTrash size={13} />}
              onClick={() => setDeleting(selected)}
            >
              Delete…
            </Button>
          </>
        )}
      </header>
      {asked.problem !== undefined && (
        <p className={styles.problem} role="status" data-testid="query-problem">
          {asked.problem}
        </p>
      )}
      <div className={styles.scroll} ref={scroll}>
        <table className={styles.table}>
          <thead>
            {table.getHeaderGroups().map((group) => (
              <tr key={group.id}>
                {group.headers.map((header) => {
                  const sorted = header.column.getIsSorted();
                  return (
                    <th
                      key={header.id}
                      data-column={header.column.id}
                      aria-sort={sorted === 'asc' ? 'ascending' : sorted === 'desc' ? 'descending' : 'none'}
                    >
                      {header.column.getCanSort() ? (
                        <button type="button" onClick={header.column.getToggleSortingHandler()}>
                          <table.FlexRender header={header} />
                          {sorted === 'asc' ? ' ↑' : sorted === 'desc' ? ' ↓' : ''}
                        </button>
                      ) : (
                        <table.FlexRender header={header} />
                      )}
                    </th>
                  );
                })}
              </tr>
            ))}
          </thead>
          <tbody {...roving}>
            <Spacer height={above} />
            {drawn.map((row) => (
              <tr
                key={row.id}
                data-run={row.id}
                data-selected={row.getIsSelected()}
                onDoubleClick={() => openRun(workbench, row.original)}
              >
                {row.getAllCells().map((cell) => (
                  <td key={cell.id} data-column={cell.column.id}>
                    {cell.column.id === 'target' ? (
                      <button
                        type="button"
                        className={styles.open}
                        onClick={() => openRun(workbench, row.original)}
                      >
                        <table.FlexRender cell={cell} />
                      </button>
                    ) : (
                      <table.FlexRender cell={cell} />
                    )}
                  </td>
                ))}
              </tr>
            ))}
            <Spacer height={below} />
          </tbody>
        </table>
        {shown.length === 0 && (
          <p className={styles.none}>No run matches. Clear the filter to see all {runs.length}.</p>
        )}
        {unreadable.length > 0 && (
          <section className={styles.unreadable} aria-label="Unreadable folders">
            <h2>Folders that could not be read</h2>
            {unreadable.slice(0, mostUnreadable).map(({ folder, reason }) => (
              <div key={folder} className="selectable">
                <span className="mono">{folder}</span>
                <span className={styles.reason}>{reason}</span>
              </div>
            ))}
            {unreadable.length > mostUnreadable && <p>and {unreadable.length - mostUnreadable} more</p>}
          </section>
        )}
      </div>
      {editing !== undefined && (
        <EditDialog key={editing.run} run={editing} onClose={() => setEditing(undefined)} />
      )}
      <Modal
        opened={deleting.length > 0}
        onClose={() => setDeleting([])}
        title={`Delete ${deleting.length} ${deleting.length === 1 ? 'run' : 'runs'}?`}
        size={420}
      >
        <p className={styles.deleteText}>
          The {deleting.length === 1 ? 'folder is' : 'folders are'} removed from disk (
          {bytes(deleting.reduce((sum, run) => sum + run.bytes, 0))}). It can be undone for a minute.
        </p>
        <div className={styles.dialogButtons}>
          <Button variant="default" onClick={() => setDeleting([])} data-autofocus>
            Keep
          </Button>
          <Button
            color="red"
            onClick={() => {
              void deleteRuns(
                workbench,
                deleting.map((run) => run.run),
              );
              setDeleting([]);
              table.resetRowSelection();
            }}
          >
            Delete
          </Button>
        </div>
      </Modal>
    </div>
  );
}

/** Stands for the rows that are out of sight. */
const Spacer = ({ height }: { readonly height: number }) =>
  height > 0 ? (
    <tr>
      <td style={{ height, padding: 0, border: 0 }} />
    </tr>
  ) : null;

/** A failed run says why. */
function RunStatus({ run: { status, error } }: { readonly run: RunInfo }) {
  return (
    <span className={styles.statusCell} title={error?.message}>
      <StatusName status={status} />
      {error !== undefined && <span className={styles.failure}>{error.message}</span>}
    </span>
  );
}

const metric = (id: string, value: number | undefined) => (
  <span title={value === undefined ? '' : formatMetric(id, value, true)}>
    {formatMetric(id, value ?? Number.NaN)}
  </span>
);

/** `✓ 0.42×`: optimized ÷ baseline of kernels, and whether the outputs were right. */
function KernelRatio({ run: { kernel } }: { readonly run: RunInfo }) {
  if (kernel === undefined) return null;
  const { ratio, verification, verdict } = kernel;
  const glyph = verification === 'passed' ? '✓' : verification === 'failed' ? '✕' : '–';
  return (
    <span title={verdict}>
      {glyph}{' '}
      {ratio === undefined ? kernel.variants.map(({ id }) => id).join(', ') : `${ratioFigures(ratio)}×`}
    </span>
  );
}

function Annotation({
  run,
  isPinned,
  onEdit,
}: {
  readonly run: RunInfo;
  readonly isPinned: boolean;
  readonly onEdit: () => void;
}) {
  const isEmpty = run.tags.length === 0 && run.note === '';
  return (
    <button
      type="button"
      className={styles.annotation}
      onClick={onEdit}
      title={run.note}
      data-empty={isEmpty && !isPinned}
    >
      {isPinned && (
        <span className={styles.tag}>
          <IconPinFilled size={10} /> pinned
        </span>
      )}
      {run.tags.map((tag) => (
        <span key={tag} className={styles.tag}>
          {tag}
        </span>
      ))}
      <span className={styles.note}>{isEmpty ? 'add' : run.note}</span>
    </button>
  );
}

function RowMenu({
  run,
  onEdit,
  onDelete,
}: {
  readonly run: RunInfo;
  readonly onEdit: () => void;
  readonly onDelete: () => void;
}) {
  const workbench = useWorkbench();
  const pinned = useStore(workbench.settings, (state) => state.pinnedRun);
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <ActionIcon size={22} aria-label={`Actions of ${run.run}`}>
          <IconDots size={15} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item onClick={() => openRun(workbench, run)}>Open</Menu.Item>
        <Menu.Item onClick={() => pin(workbench, pinned === run.run ? null : run.run)}>
          {pinned === run.run ? 'Unpin' : 'Pin as baseline'}
        </Menu.Item>
        <Menu.Item onClick={() => void takeSettingsOf(workbench, run.run)}>Use these settings</Menu.Item>
        <Menu.Item onClick={onEdit}>Tags and note…</Menu.Item>
        <Menu.Item onClick={() => void workbench.bridge.showInFolder(run.folder)}>Open folder</Menu.Item>
        <Menu.Divider />
        <Menu.Item onClick={() => void exportRun(workbench, 'csv', run.run)}>
          Export requests as CSV…
        </Menu.Item>
        <Menu.Item onClick={() => void exportRun(workbench, 'parquet', run.run)}>
          Export requests as Parquet…
        </Menu.Item>
        <Menu.Item onClick={() => void exportRun(workbench, 'json', run.run)}>
          Export summary as JSON…
        </Menu.Item>
        <Menu.Item onClick={() => void exportRun(workbench, 'bundle', run.run)}>Export bundle…</Menu.Item>
        <Menu.Divider />
        <Menu.Item color="red" onClick={onDelete}>
          Delete…
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
