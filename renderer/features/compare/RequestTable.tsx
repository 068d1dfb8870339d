import { SegmentedControl, Select } from '@mantine/core';
import { useVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useRef, useState } from 'react';
import type { HostParams, Page } from '../../../electron/contract/protocol.ts';
import { formatMetric } from '../../../workloads/metrics/format.ts';
import type { ComparedPair } from '../../state/runNames.ts';
import { clockText } from '../../state/timeRange.ts';
import { useWindow, useWorkbench } from '../../state/workbench.ts';
import { FindRequest } from '../request/FindRequest.tsx';
import styles from './Compare.module.css';

interface RequestColumn {
  readonly id: string;
  readonly label: string;
  readonly width: number;
  readonly isText?: boolean;
  readonly text: (value: number | string | boolean | null) => string;
}

const metric = (id: string) => (value: number | string | boolean | null) =>
  formatMetric(id, typeof value === 'number' ? value : Number.NaN);
const count = metric('arrived');
const plain = (value: number | string | boolean | null) => (value === null ? '–' : String(value));

const columns: readonly RequestColumn[] = [
  { id: 'request', label: 'Request', width: 66, text: plain },
  { id: 'status', label: 'Status', width: 84, isText: true, text: plain },
  {
    id: 'arrival_ns',
    label: 'Arrival',
    width: 74,
    text: (value) => (typeof value === 'number' ? clockText(value / 1e6, 10_000) : '–'),
  },
  { id: 'ttft_ms', label: 'TTFT', width: 74, text: metric('ttft_ms') },
  { id: 'tpot_ms', label: 'TPOT', width: 74, text: metric('tpot_ms') },
  { id: 'e2e_ms', label: 'E2E', width: 74, text: metric('e2e_ms') },
  { id: 'queue_ms', label: 'Queue', width: 74, text: metric('queue_ms') },
  { id: 'prompt_tokens', label: 'Prompt', width: 66, text: count },
  { id: 'cached_tokens', label: 'Cached', width: 66, text: count },
  { id: 'output_tokens', label: 'Output', width: 66, text: count },
  {
    id: 'good',
    label: 'SLO',
    width: 56,
    isText: true,
    text: (value) => (value === null ? '–' : value === true || value === 1 ? '✓ met' : '✕ no'),
  },
];

const filters: readonly {
  readonly value: string;
  readonly label: string;
  readonly filter: HostParams<'runs.rows'>['filter'];
}[] = [
  { value: 'all', label: 'All requests', filter: [] },
  { value: 'missed', label: 'Missed their SLO', filter: [{ column: 'good', op: '=', value: false }] },
  { value: 'rejected', label: 'Rejected', filter: [{ column: 'status', op: '=', value: 'rejected' }] },
  { value: 'unfinished', label: 'Unfinished', filter: [{ column: 'status', op: '=', value: 'unfinished' }] },
  {
    value: 'cached',
    label: 'With cached prompt tokens',
    filter: [{ column: 'cached_tokens', op: '>', value: 0 }],
  },
];

const rowHeight = 26;
const pageSize = 200;

/** Every request of one side, sorted and filtered by the host; a click opens its routing in the inspector. */
export function RequestTable({ baseline, optimized, names }: ComparedPair) {
  const { window: store, settings } = useWorkbench();
  const [run, setRun] = useState(optimized.run);
  const [order, setOrder] = useState('-ttft_ms');
  const [filter, setFilter] = useState('all');
  const other = run === optimized.run ? baseline.run : optimized.run;
  const selected = useWindow((state) =>
    state.selection.kind === 'request' && state.selection.run === run ? state.selection.request : undefined,
  );
  const { total, cell, need } = usePages(run, order, filter);
  const scroller = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: total,
    getScrollElement: () => scroller.current,
    estimateSize: () => rowHeight,
    overscan: 8,
  });
  const items = virtual.getVirtualItems();
  const [first, last] = [items[0]?.index ?? 0, items.at(-1)?.index ?? 0];
  useEffect(() => need(first, last), [need, first, last]);

  const open = (request: number) => {
    settings.setState({ inspectorOpen: true });
    store.setState({ selection: { kind: 'request', run, request, other } });
  };
  return (
    <section className={styles.stack} aria-label="Requests">
      <div className={styles.sectionHead}>
        <h2>
          Requests <span className={styles.quiet}>{formatMetric('arrived', total)}</span>
        </h2>
        <span className={styles.gap} />
        <FindRequest run={run} onFound={open} />
        <Select
          data={filters.map(({ value, label }) => ({ value, label }))}
          value={filter}
          onChange={(value) => setFilter(value ?? 'all')}
          w={190}
          aria-label="Filter requests"
        />
        <SegmentedControl
          data={[
            { value: baseline.run, label: names[0] },
            { value: optimized.run, label: names[1] },
          ]}
          value={run}
          onChange={setRun}
          aria-label="Requests of"
        />
      </div>
      <div ref={scroller} className={styles.requests} data-testid="request-table" data-rows={total}>
        <div className={styles.requestHead}>
          {columns.map((column) => {
            const isSorted = order === column.id || order === `-${column.id}`;
            return (
              <button
                key={column.id}
                type="button"
                aria-pressed={isSorted}
                style={{ width: column.width }}
                data-text={column.isText === true}
                onClick={() => setOrder(order === `-${column.id}` ? column.id : `-${column.id}`)}
              >
                {column.label}
                {isSorted && (order.startsWith('-') ? ' ↓' : ' ↑')}
              </button>
            );
          })}
        </div>
        <div style={{ height: virtual.getTotalSize(), position: 'relative' }}>
          {items.map((item) => {
            const request = cell(item.index, 'request');
            return (
              <button
                key={item.key}
                type="button"
                className={styles.requestRow}
                data-request={typeof request === 'number' ? request : ''}
                aria-pressed={request !== null && request === selected}
                style={{ transform: `translateY(${item.start}px)`, height: rowHeight }}
                onClick={() => typeof request === 'number' && open(request)}
              >
                {columns.map((column) => (
                  <span key={column.id} style={{ width: column.width }} data-text={column.isText === true}>
                    {request === null ? '' : column.text(cell(item.index, column.id))}
                  </span>
                ))}
              </button>
            );
          })}
        </div>
        {total === 0 && <p className={styles.none}>No request matches this filter.</p>}
      </div>
    </section>
  );
}

type Cell = number | string | boolean | null;

/** Pages of the request table, fetched when they come into sight. */
function usePages(run: string, order: string, filter: string) {
  const { client } = useWorkbench();
  const [pages, setPages] = useState<ReadonlyMap<number, Page>>(new Map());
  const asked = useRef(new Set<number>());
  const generation = useRef(0);
  const [total, setTotal] = useState(0);

  const fetchPage = (page: number) => {
    if (asked.current.has(page)) return;
    asked.current.add(page);
    const mine = generation.current;
    client
      .request('runs.rows', {
        run,
        table: 'requests',
        filter: filters.find((each) => each.value === filter)?.filter ?? [],
        order,
        offset: page * pageSize,
        limit: pageSize,
      })
      .then(
        (loaded) => {
          if (mine !== generation.current) return;
          setTotal(loaded.total);
          setPages((known) => new Map(known).set(page, loaded));
        },
        () => asked.current.delete(page),
      );
  };
  const fetchLatest = useRef(fetchPage);
  fetchLatest.current = fetchPage;

  // biome-ignore lint/correctness/useExhaustiveDependencies: another run, order or filter means other pages
  useEffect(() => {
    generation.current += 1;
    asked.current = new Set();
    setPages(new Map());
    fetchLatest.current(0);
  }, [run, order, filter]);

  const need = useRef((first: number, last: number) => {
    for (let page = Math.floor(first / pageSize); page <= Math.floor(last / pageSize); page += 1)
      fetchLatest.current(page);
  }).current;

  const cell = (row: number, column: string): Cell => {
    const page = pages.get(Math.floor(row / pageSize));
    return page?.columns.find((each) => each.name === column)?.values[row % pageSize] ?? null;
  };
  return { total, cell, need };
}
