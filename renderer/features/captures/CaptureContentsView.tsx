import { ActionIcon, Button, TextInput } from '@mantine/core';
import { IconChartLine, IconChevronLeft, IconChevronRight, IconDownload } from '@tabler/icons-react';
import { type ReactNode, useEffect, useState } from 'react';
import type {
  CaptureContents,
  CountersContents,
  EventLinks,
  FoundEvent,
  GpuActivity,
  TimelineContents,
  TimelineEvent,
  TimelineTables,
} from '../../../electron/contract/captures.ts';
import type { CaptureInfo } from '../../../electron/contract/protocol.ts';
import { go } from '../../state/actions.ts';
import { exportCaptureTrace } from '../../state/capturesStore.ts';
import { useWorkbench } from '../../state/workbench.ts';
import { duration } from '../roofline/PointInspector.tsx';
import { PointTable } from '../roofline/PointTable.tsx';
import { assessed } from '../roofline/plot.ts';
import { rooflineStore, showCounters } from '../roofline/rooflineStore.ts';
import styles from './Captures.module.css';
import { CaptureTables, percent } from './CaptureTables.tsx';
import { LinkedEvents } from './LinkedEvents.tsx';
import { around, type LaneBlock, type Span, showing } from './lanes.ts';
import { Timeline, wholeOf } from './Timeline.tsx';

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

function TimelineView({
  capture,
  contents,
}: {
  readonly capture: CaptureInfo;
  readonly contents: TimelineContents;
}) {
  const workbench = useWorkbench();
  const { client } = workbench;
  const whole = wholeOf(contents);
  const [span, setSpan] = useState(whole);
  const [links, setLinks] = useState<EventLinks>();
  const [search, setSearch] = useState('');
  const [hits, setHits] = useState<FoundEvent>();
  const isWhole = span.fromNs === whole.fromNs && span.toNs === whole.toNs;
  const shown = useTables(capture.capture, isWhole ? undefined : span) ?? contents.tables;

  const choose = (event: { readonly lane: number; readonly startNs: number; readonly endNs: number }) =>
    client
      .request('captures.links', {
        capture: capture.capture,
        lane: event.lane,
        start_ns: event.startNs,
        end_ns: event.endNs,
      })
      .then(setLinks, (thrown: unknown) => client.note(thrown));
  const pick = (block: LaneBlock | undefined) => {
    if (block === undefined) setLinks(undefined);
    // Several events in one place: closer, until they can be told apart.
    else if (block.events > 1) setSpan(around(block, whole));
    else void choose(block);
  };
  const jump = (event: TimelineEvent) => {
    setSpan((now) => showing(now, event, whole));
    void choose(event);
  };
  const find = (text: string, direction: 'next' | 'previous' = 'next') => {
    if (text === '') return;
    const from = links?.chosen.startNs ?? span.fromNs - 1;
    client.request('captures.find', { capture: capture.capture, text, from_ns: from, direction }).then(
      (found) => {
        setHits(found);
        if (found.event !== undefined) jump(found.event);
      },
      (thrown: unknown) => client.note(thrown),
    );
  };
  return (
    <>
      <div className={styles.bar}>
        <span className={styles.quiet}>
          {contents.tool}
          {contents.gpus.length > 0 ? ` · ${contents.gpus.join(', ')}` : ' · no GPU in this recording'}
        </span>
        <span className={styles.gap} />
        <TextInput
          aria-label="Find a kernel, range or call"
          data-search
          placeholder="Find a kernel, range or call"
          size="xs"
          w={220}
          value={search}
          onChange={(event) => {
            setSearch(event.currentTarget.value);
            setHits(undefined);
          }}
          onKeyDown={(event) => {
            if (event.key === 'Enter') find(search, event.shiftKey ? 'previous' : 'next');
          }}
        />
        <span className={styles.quiet} role="status" data-testid="hits">
          {hits === undefined
            ? ''
            : hits.index === undefined
              ? 'no such name'
              : `${hits.index + 1} of ${hits.total}`}
        </span>
        <ActionIcon
          aria-label="Previous match"
          disabled={search === ''}
          onClick={() => find(search, 'previous')}
        >
          <IconChevronLeft size={15} />
        </ActionIcon>
        <ActionIcon aria-label="Next match" disabled={search === ''} onClick={() => find(search)}>
          <IconChevronRight size={15} />
        </ActionIcon>
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
        <Timeline
          id="capture"
          capture={capture.capture}
          title="Timeline"
          contents={contents}
          whole={whole}
          span={span}
          onSpan={setSpan}
          links={links}
          onPick={pick}
        />
      )}
      {links !== undefined && (
        <LinkedEvents
          links={links}
          startNs={contents.startNs}
          onJump={jump}
          onClose={() => setLinks(undefined)}
        />
      )}
      {contents.activity.map((gpu) => (
        <Activity key={gpu.device} gpu={gpu} />
      ))}
      <div className={styles.bar}>
        <span className={styles.quiet} data-testid="tables-part">
          {isWhole
            ? 'Tables: the whole recording'
            : `Tables: events that overlap the ${duration(span.toNs - span.fromNs)} shown, each with its whole length`}
        </span>
        {!isWhole && (
          <Button variant="default" size="compact-xs" onClick={() => setSpan(whole)}>
            Show all
          </Button>
        )}
      </div>
      <CaptureTables
        shown={shown}
        search={search}
        startNs={contents.startNs}
        onGap={(gap) => setSpan(around(gap, whole))}
        onName={(name) => {
          setSearch(name);
          find(name);
        }}
      />
      <Missing
        lines={[...contents.missing, ...contents.diagnostics.map((line) => `the tool warned: ${line}`)]}
      />
    </>
  );
}

/** While the timeline moves the tables wait: ms without a change before they are asked for. */
const settleMs = 120;

/** The tables of a part of the recording; the last ones until the new ones are there, undefined without a part. */
function useTables(capture: string, part: Span | undefined): TimelineTables | undefined {
  const { client } = useWorkbench();
  const [tables, setTables] = useState<TimelineTables>();
  const { fromNs, toNs } = part ?? {};
  useEffect(() => {
    if (fromNs === undefined || toNs === undefined) {
      setTables(undefined);
      return undefined;
    }
    let isCurrent = true;
    const wait = setTimeout(() => {
      client.request('captures.tables', { capture, from_ns: fromNs, to_ns: toNs }).then(
        (found) => isCurrent && setTables(found),
        (thrown: unknown) => client.note(thrown),
      );
    }, settleMs);
    return () => {
      isCurrent = false;
      clearTimeout(wait);
    };
  }, [client, capture, fromNs, toNs]);
  return tables;
}

function Activity({ gpu }: { readonly gpu: GpuActivity }) {
  const length = gpu.endNs - gpu.startNs;
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
        note={gpu.longestIdleNs === undefined ? 'none' : `longest ${duration(gpu.longestIdleNs)}`}
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
