import { ActionIcon, Button, Select, Tooltip } from '@mantine/core';
import {
  IconCopy,
  IconFileImport,
  IconFolder,
  IconPlayerStop,
  IconRefresh,
  IconTrash,
} from '@tabler/icons-react';
import { useEffect, useState } from 'react';
import { useStore } from 'zustand';
import type { CaptureContents } from '../../../electron/contract/captures.ts';
import type { CaptureInfo } from '../../../electron/contract/protocol.ts';
import { copy } from '../../state/actions.ts';
import {
  cancelCapture,
  capturesStore,
  followCaptures,
  isOpenCapture,
  openReport,
  removeCapture,
  retryCapture,
} from '../../state/capturesStore.ts';
import { errorOf } from '../../state/hostClient.ts';
import { span } from '../../state/number.ts';
import type { Loading } from '../../state/runDetails.ts';
import { useWorkbench } from '../../state/workbench.ts';
import { ErrorState } from '../../ui/EmptyState.tsx';
import { useRoving } from '../../ui/roving.ts';
import { CaptureContentsView } from './CaptureContentsView.tsx';
import styles from './Captures.module.css';
import { Guide } from './Guide.tsx';
import { NewCapture } from './NewCapture.tsx';
import { OpenInNsight } from './OpenInNsight.tsx';
import { SideBySide } from './SideBySide.tsx';

/** Profilers' recordings: made here, or opened. */
export function Captures() {
  const workbench = useWorkbench();
  const { captures, shown, other } = useStore(capturesStore);
  useEffect(() => followCaptures(workbench), [workbench]);
  const roving = useRoving<HTMLOListElement>('li');
  const chosen = captures.find(({ capture }) => capture === shown);
  return (
    <div className={styles.captures} data-testid="captures" data-captures={captures.length}>
      <aside className={styles.side}>
        <NewCapture />
        <div className={styles.listHead}>
          <h2>Captures</h2>
          <Tooltip label="A report that is there already: .nsys-rep, .sqlite, .ncu-rep, .csv. Or drop it on the window.">
            <Button
              size="compact-xs"
              variant="default"
              leftSection={<IconFileImport size={13} />}
              onClick={() => void openReport(workbench)}
            >
              Open report…
            </Button>
          </Tooltip>
        </div>
        <ol className={styles.list} {...roving}>
          {[...captures].reverse().map((capture) => (
            <li key={capture.capture}>
              <button
                type="button"
                aria-current={capture.capture === shown}
                data-state={capture.state}
                onClick={() => capturesStore.setState({ shown: capture.capture, other: undefined })}
              >
                <span className={styles.title}>{capture.title}</span>
                <span className={styles.state}>
                  {glyphs[capture.state]} {capture.tool} ·{' '}
                  {capture.state === 'done' ? span(capture.elapsed_ms) : capture.state}
                </span>
              </button>
            </li>
          ))}
        </ol>
        <button
          type="button"
          className={styles.guideLink}
          aria-current={chosen === undefined}
          onClick={() => capturesStore.setState({ shown: undefined, other: undefined })}
        >
          Which capture answers what
        </button>
      </aside>
      <div className={styles.content}>
        {chosen === undefined ? (
          <Guide />
        ) : (
          <Chosen
            key={chosen.capture}
            capture={chosen}
            other={captures.find(({ capture }) => capture === other)}
          />
        )}
      </div>
    </div>
  );
}

const glyphs = { queued: '○', running: '●', importing: '◐', done: '✓', failed: '✕', cancelled: '–' } as const;

function Chosen({
  capture,
  other,
}: {
  readonly capture: CaptureInfo;
  readonly other: CaptureInfo | undefined;
}) {
  const workbench = useWorkbench();
  const captures = useStore(capturesStore, (state) => state.captures);
  const own = useContents(capture);
  const others = useContents(other);
  const isOpen = isOpenCapture(capture);
  return (
    <section
      className={styles.stack}
      aria-label={capture.title}
      data-testid="capture"
      data-state={capture.state}
      data-kind={own.kind === 'ready' ? own.value.kind : ''}
    >
      <header className={styles.bar}>
        <h1 title={capture.report}>{capture.title}</h1>
        {isOpen && (
          <span className={styles.progress}>
            {capture.state}
            {capture.progress === '' ? '' : `: ${capture.progress}`}
          </span>
        )}
        <span className={styles.gap} />
        {capture.tool !== 'ncu' && capture.state === 'done' && (
          <Select
            aria-label="Beside"
            placeholder="Beside a baseline…"
            w={210}
            clearable
            data={captures
              .filter(
                (each) => each.tool !== 'ncu' && each.state === 'done' && each.capture !== capture.capture,
              )
              .map((each) => ({ value: each.capture, label: each.title }))}
            value={other?.capture ?? null}
            onChange={(value) => capturesStore.setState({ other: value ?? undefined })}
          />
        )}
        {isOpen && (
          <Button
            variant="default"
            leftSection={<IconPlayerStop size={13} />}
            onClick={() => void cancelCapture(workbench, capture.capture)}
          >
            Cancel
          </Button>
        )}
        <Tooltip label={<span className="mono">{capture.command}</span>}>
          <ActionIcon
            aria-label="Copy the equivalent command line"
            onClick={() => void copy(workbench, capture.command, 'Command line copied')}
          >
            <IconCopy size={15} />
          </ActionIcon>
        </Tooltip>
        {capture.state === 'done' && <OpenInNsight capture={capture} />}
        {capture.report !== undefined && (
          <ActionIcon
            aria-label="Show the report in its folder"
            onClick={() => void workbench.bridge.showInFolder(capture.report ?? '')}
          >
            <IconFolder size={15} />
          </ActionIcon>
        )}
        {!isOpen && (
          <ActionIcon
            aria-label={capture.folder === undefined ? 'Take off the list' : 'Delete the capture'}
            onClick={() => void removeCapture(workbench, capture.capture)}
          >
            <IconTrash size={15} />
          </ActionIcon>
        )}
      </header>
      {isOpen && (
        <div className={styles.track} role="progressbar" aria-label="Progress">
          <span style={{ width: `${(capture.done ?? 0.08) * 100}%` }} />
        </div>
      )}
      {capture.interval !== undefined && (
        <p className={styles.quiet} data-testid="capture-interval">
          Recorded: {capture.interval}.
        </p>
      )}
      {capture.tool === 'cupti' && (
        <p className={styles.quiet}>
          No profiler: the run recorded its own kernels by CUPTI while it was measured.
        </p>
      )}
      {capture.engine !== undefined && capture.engine !== 'sim' && (
        <p className={styles.warning}>
          ▲ The profiler slowed this run: its latencies are marked and count for no verdict.
        </p>
      )}
      {(capture.state === 'failed' || capture.state === 'cancelled') && (
        <ErrorState
          title={capture.state === 'failed' ? 'This capture failed' : 'This capture was cancelled'}
          error={capture.error ?? { code: 'cancelled', message: capture.progress }}
        >
          <Button
            leftSection={<IconRefresh size={13} />}
            onClick={() => void retryCapture(workbench, capture.capture)}
          >
            Try again
          </Button>
        </ErrorState>
      )}
      {own.kind === 'failed' && <ErrorState title="The report was not read" error={own.error} />}
      {own.kind === 'loading' && <p className={styles.quiet}>Reading the report…</p>}
      {own.kind === 'ready' &&
        (other !== undefined &&
        own.value.kind === 'nsys' &&
        others.kind === 'ready' &&
        others.value.kind === 'nsys' ? (
          <SideBySide
            key={other.capture}
            baseline={{ capture: other, contents: others.value }}
            optimized={{ capture, contents: own.value }}
          />
        ) : (
          <CaptureContentsView capture={capture} contents={own.value} />
        ))}
    </section>
  );
}

function useContents(capture: CaptureInfo | undefined): Loading<CaptureContents> {
  const { client } = useWorkbench();
  const [state, setState] = useState<Loading<CaptureContents>>({ kind: 'none' });
  const id = capture?.state === 'done' ? capture.capture : undefined;
  useEffect(() => {
    if (id === undefined) {
      setState({ kind: 'none' });
      return;
    }
    let isCurrent = true;
    setState({ kind: 'loading' });
    client.request('captures.read', { capture: id }).then(
      (value) => isCurrent && setState({ kind: 'ready', value }),
      (thrown: unknown) => isCurrent && setState({ kind: 'failed', error: errorOf(thrown) }),
    );
    return () => {
      isCurrent = false;
    };
  }, [client, id]);
  return state;
}
