import { Button } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { IconFileUpload, IconX } from '@tabler/icons-react';
import { type ReactNode, useEffect, useState } from 'react';
import type { HostError } from '../../../electron/contract/hostError.ts';
import type { TrafficPreview } from '../../../electron/contract/protocol.ts';
import type { Target } from '../../../workloads/catalog/target.ts';
import { formatMetric } from '../../../workloads/metrics/format.ts';
import type { TrafficSpec } from '../../../workloads/run/spec.ts';
import { openTrace } from '../../state/actions.ts';
import { errorOf } from '../../state/hostClient.ts';
import type { FormValues, TraceChoice } from '../../state/runForm.ts';
import { specOf } from '../../state/servingSpec.ts';
import { clockText } from '../../state/timeRange.ts';
import { useWorkbench } from '../../state/workbench.ts';
import { Histogram } from './Histogram.tsx';
import { QuantileBar } from './QuantileBar.tsx';
import styles from './Run.module.css';
import { TraceRows } from './TraceRows.tsx';

interface TrafficPanelProps {
  readonly target: Target;
  readonly values: FormValues;
  readonly isValid: boolean;
  readonly onTrace: (trace: TraceChoice | null) => void;
  /** Rows of the generator's parameters. */
  readonly children: ReactNode;
}

/** The source of the requests (generator or trace), and a preview of their arrivals and lengths. */
export function TrafficPanel({ target, values, isValid, onTrace, children }: TrafficPanelProps) {
  const workbench = useWorkbench();
  const { trace } = values;
  const preview = usePreview(target, values, isValid);
  const trafficS = preview.kind === 'ready' ? preview.preview.duration_s : undefined;
  // A preview that failed for a want of something else than the file's contents does not forbid the run.
  const trafficProblem =
    trace !== null && preview.kind === 'failed' && ['bad_input', 'not_found'].includes(preview.error.code)
      ? preview.error.message
      : undefined;
  useEffect(
    () => workbench.form.setState({ trafficS, trafficProblem }),
    [workbench, trafficS, trafficProblem],
  );
  return (
    <div className={styles.traffic}>
      <div className={styles.trafficForm}>
        {trace === null ? children : <TraceRows trace={trace} onTrace={onTrace} />}
        <div className={styles.trafficButtons}>
          <Button
            variant="default"
            size="compact-xs"
            leftSection={<IconFileUpload size={13} />}
            onClick={() => void openTrace(workbench)}
          >
            {trace === null ? 'Use a recorded trace…' : 'Another trace…'}
          </Button>
          {trace !== null && (
            <Button
              variant="subtle"
              color="gray"
              size="compact-xs"
              leftSection={<IconX size={13} />}
              onClick={() => onTrace(null)}
            >
              Generate instead
            </Button>
          )}
        </div>
      </div>
      <div
        className={styles.preview}
        data-testid="traffic-preview"
        data-requests={preview.kind === 'ready' ? preview.preview.requests : ''}
      >
        <Preview state={preview} />
      </div>
    </div>
  );
}

type PreviewState =
  | { readonly kind: 'waiting' | 'invalid' }
  | { readonly kind: 'ready'; readonly preview: TrafficPreview }
  | { readonly kind: 'failed'; readonly error: HostError };

/** The preview of what would be run, asked anew a moment after the last change. */
function usePreview(target: Target, values: FormValues, isValid: boolean): PreviewState {
  const { client } = useWorkbench();
  const [state, setState] = useState<PreviewState>({ kind: 'waiting' });
  const key = isValid ? trafficKey(target, values) : '';
  const [asked] = useDebouncedValue(key, 250);
  useEffect(() => {
    if (asked === '') {
      setState({ kind: 'invalid' });
      return;
    }
    let isCurrent = true;
    const { traffic, seed } = JSON.parse(asked) as { traffic: TrafficSpec; seed: number };
    client.request('traffic.preview', { traffic, seed, bins: 120 }).then(
      (preview) => isCurrent && setState({ kind: 'ready', preview }),
      (thrown: unknown) => isCurrent && setState({ kind: 'failed', error: errorOf(thrown) }),
    );
    return () => {
      isCurrent = false;
    };
  }, [client, asked]);
  return state;
}

function trafficKey(target: Target, values: FormValues): string {
  try {
    // The traffic is the same on every engine, and may be looked at before servers are named.
    const { traffic, seed } = specOf(target, target.variants[0]?.id ?? 'baseline', {
      ...values,
      engine: 'sim',
    });
    return JSON.stringify({ traffic, seed });
  } catch {
    // The form says what contradicts what: there is no traffic to show yet.
    return '';
  }
}

function Preview({ state }: { readonly state: PreviewState }) {
  switch (state.kind) {
    case 'waiting':
      return <p className={styles.previewNote}>Reading …</p>;
    case 'invalid':
      return <p className={styles.previewNote}>The preview comes back when every field is in its range.</p>;
    case 'failed':
      return (
        <div className={`${styles.previewError} selectable`} role="alert">
          <strong>{state.error.message}</strong>
          {state.error.hint !== undefined && <span>{state.error.hint}</span>}
        </div>
      );
    case 'ready': {
      const { preview } = state;
      return (
        <>
          {preview.source !== undefined && <TakenFor source={preview.source} />}
          <div className={styles.totals}>
            <b>{formatMetric('arrived', preview.requests)}</b> requests in{' '}
            <b>{clockText(preview.duration_s * 1000)}</b>
            <span>{formatMetric('prompt_tokens_per_s', preview.prompt_tokens).replace('/s', '')} prompt</span>
            <span>{formatMetric('output_tokens_per_s', preview.output_tokens).replace('/s', '')} output</span>
            {preview.block_refs > 0 && (
              <span>
                {formatMetric('prefix_hit_rate', 1 - preview.unique_blocks / preview.block_refs)} of prompt
                blocks seen before
              </span>
            )}
          </div>
          <Histogram values={preview.arrivals_rps} durationS={preview.duration_s} />
          <QuantileBar label="Prompt" quantiles={preview.prompt_quantiles} token="--prefill" />
          <QuantileBar label="Output" quantiles={preview.output_quantiles} token="--decode" />
        </>
      );
    }
    default:
      return state satisfies never;
  }
}

/** The format that the trace's file was recognised as, and the rows that were left out. */
function TakenFor({ source }: { readonly source: NonNullable<TrafficPreview['source']> }) {
  const dropped = (source.dropped_empty ?? 0) + (source.dropped_oversized ?? 0);
  return (
    <p className={styles.previewNote} data-testid="trace-source">
      Taken for: {source.label}
      {source.findings.length === 0 ? '' : `; ${source.findings.join('; ')}`}
      {dropped === 0 ? '' : `; ${dropped} of ${source.rows} requests dropped`}
    </p>
  );
}
