import { Button } from '@mantine/core';
import { useEffect, useState } from 'react';
import type { Page } from '../../../electron/contract/protocol.ts';
import { formatMetric, threeFigures } from '../../../workloads/metrics/format.ts';
import { openRun } from '../../state/actions.ts';
import type { RunDetail } from '../../state/runDetails.ts';
import { useWorkbench } from '../../state/workbench.ts';
import styles from './Request.module.css';
import { type Passes, type RequestRow, requestStory, type Stage, type Story } from './requestStory.ts';

/** Where a request's time went: one sentence, the stages to scale, its gaps between tokens, and what was in the batch with it. */
export function WhySlow({
  run,
  row,
  detail,
}: {
  readonly run: string;
  readonly row: RequestRow;
  readonly detail: RunDetail | undefined;
}) {
  const workbench = useWorkbench();
  const passes = usePasses(run, row);
  const figures = detail?.summary?.metrics;
  const story = requestStory(row, passes ?? [], {
    queue_ms: figures?.['queue_ms']?.p50,
    tpot_ms: figures?.['tpot_ms']?.p50,
  });
  const [first, last] = [story.stages[0], story.stages.at(-1)];
  const show = () => {
    if (detail === undefined || first === undefined || last === undefined) return;
    openRun(workbench, detail.info);
    const around = (last.toMs - first.fromMs) * 0.5;
    workbench.window.setState({
      ranges: [{ fromMs: Math.max(0, first.fromMs - around), toMs: last.toMs + around }],
    });
  };
  return (
    <div className={styles.story} data-testid="request-story">
      <p className={`${styles.cause} selectable`} data-testid="request-cause">
        {story.cause}
      </p>
      {first !== undefined && last !== undefined && (
        <>
          <Waterfall stages={story.stages} fromMs={first.fromMs} toMs={last.toMs} />
          <Gaps gaps={story.gaps} />
          {story.neighbours.map((text) => (
            <p key={text} className={styles.neighbours}>
              {text}
            </p>
          ))}
          {passes?.length === 0 && (
            <p className={styles.neighbours}>The passes of this run were not recorded: no batch is known.</p>
          )}
          {detail !== undefined && (
            <Button variant="default" size="compact-xs" onClick={show}>
              Show in Live
            </Button>
          )}
        </>
      )}
    </div>
  );
}

function Waterfall({
  stages,
  fromMs,
  toMs,
}: {
  readonly stages: readonly Stage[];
  readonly fromMs: number;
  readonly toMs: number;
}) {
  const percent = (ms: number) => `${(ms / (toMs - fromMs)) * 100}%`;
  return (
    <ol className={styles.waterfall} aria-label="Stages of the request">
      {stages.map((stage) => (
        <li key={stage.id} data-stage={stage.id}>
          <span className={styles.stageName}>{stage.label}</span>
          <span className={styles.stageTrack}>
            <span
              className={styles.stageBar}
              style={{
                left: percent(stage.fromMs - fromMs),
                width: `max(2px, ${percent(stage.toMs - stage.fromMs)})`,
                background: `var(${stage.token})`,
              }}
            />
          </span>
          <span className={styles.stageTime}>{formatMetric('e2e_ms', stage.toMs - stage.fromMs)}</span>
        </li>
      ))}
    </ol>
  );
}

const mostBars = 120;

/** A bar per gap, or per few gaps the longest of them: a stall stays visible. */
function Gaps({ gaps }: { readonly gaps: Story['gaps'] }) {
  if (gaps.length < 2) return null;
  const each = Math.ceil(gaps.length / mostBars);
  const bars = Array.from({ length: Math.ceil(gaps.length / each) }, (_, index) => {
    const own = gaps.slice(index * each, (index + 1) * each);
    return { atMs: own[0]?.atMs ?? 0, longest: Math.max(...own.map(({ gapMs }) => gapMs)) };
  });
  const top = Math.max(...bars.map(({ longest }) => longest));
  return (
    <figure className={styles.gaps} aria-label="Gaps between its tokens" data-testid="request-gaps">
      <figcaption>
        Gaps between its tokens, n {gaps.length}, longest {formatMetric('e2e_ms', top)}
      </figcaption>
      <div className={styles.gapBars}>
        {bars.map(({ atMs, longest }) => (
          <span
            key={atMs}
            title={`${threeFigures(longest)} ms at ${threeFigures(atMs / 1000)} s`}
            style={{ height: `${Math.max(4, (longest / top) * 100)}%` }}
          />
        ))}
      </div>
    </figure>
  );
}

const mostPasses = 10_000;

/** The passes of every instance while the request was there; undefined until they are read. */
function usePasses(run: string, row: RequestRow): readonly Passes[] | undefined {
  const { client } = useWorkbench();
  const [passes, setPasses] = useState<readonly Passes[]>();
  const number = (column: string) => {
    const value = row.get(column);
    return typeof value === 'number' ? value : undefined;
  };
  const [from, to] = [number('scheduled_ns'), number('finish_ns') ?? number('first_token_ns')];
  const iteration = number('iteration') ?? 0;
  useEffect(() => {
    setPasses(undefined);
    if (from === undefined || to === undefined) return;
    let isCurrent = true;
    const params = {
      run,
      table: 'iterations' as const,
      filter: [
        { column: 'iteration', op: '=' as const, value: iteration },
        { column: 'end_ns', op: '>=' as const, value: from },
        { column: 'start_ns', op: '<=' as const, value: to },
      ],
      order: 'start_ns',
      limit: mostPasses,
    };
    client.request('runs.rows', params).then(
      (page) => isCurrent && setPasses(passesOf(page)),
      // A run without the table has no passes to show.
      () => isCurrent && setPasses([]),
    );
    return () => {
      isCurrent = false;
    };
  }, [client, run, from, to, iteration]);
  return passes;
}

function passesOf(page: Page): readonly Passes[] {
  const column = (name: string) => page.columns.find((each) => each.name === name)?.values ?? [];
  const [instance, start, end, count, prompts, sequences] = [
    'instance',
    'start_ns',
    'end_ns',
    'passes',
    'prefill_tokens',
    'decode_sequences',
  ].map(column);
  const at = (values: Page['columns'][number]['values'] | undefined, index: number) =>
    Number(values?.[index] ?? 0);
  return Array.from({ length: page.rows }, (_, index) => ({
    instance: at(instance, index),
    fromMs: at(start, index) / 1e6,
    toMs: at(end, index) / 1e6,
    passes: at(count, index),
    prefillTokens: at(prompts, index),
    decodeSequences: at(sequences, index),
  }));
}
