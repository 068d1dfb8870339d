import { useEffect, useState } from 'react';
import type { HostError } from '../../../electron/contract/hostError.ts';
import type { Page } from '../../../electron/contract/protocol.ts';
import { formatMetric, threeFigures } from '../../../workloads/metrics/format.ts';
import { errorOf } from '../../state/hostClient.ts';
import { useRunDetail } from '../../state/runDetails.ts';
import { useRunNames } from '../../state/runNames.ts';
import { clockText } from '../../state/timeRange.ts';
import { useWorkbench } from '../../state/workbench.ts';
import { VariantName } from '../../ui/VariantName.tsx';
import { type Candidate, ScoreBars, TermLegend } from '../live/ScoreBars.tsx';
import { WhySlow } from '../request/WhySlow.tsx';
import styles from './Compare.module.css';
import { type Decision, decisionsOf } from './decisions.ts';

interface RequestInspectorProps {
  readonly run: string;
  readonly request: number;
  /** The other side of the comparison: the same request there. */
  readonly other?: string;
}

/** One request: what became of it, and why the router sent it where it went, in both runs. */
export function RequestInspector({ run, request, other }: RequestInspectorProps) {
  return (
    <div data-testid="request-inspector">
      <Side run={run} request={request} />
      {other !== undefined && <Side run={other} request={request} />}
    </div>
  );
}

function Side({ run, request }: { readonly run: string; readonly request: number }) {
  const detail = useRunDetail(run);
  const names = useRunNames();
  const state = useRequest(run, request);
  const variant = detail.kind === 'ready' ? detail.value.info.variant : '';
  const instances = detail.kind === 'ready' ? detail.value.instances : [];
  const nameOf = (instance: number) => instances[instance]?.name ?? `#${instance}`;
  const termIds = [...new Set(state.decisions.flatMap((decision) => decision.termIds))].sort();
  return (
    <section className={styles.side} data-testid={`decisions-${variant}`}>
      <h3>
        <VariantName variant={variant} name={names.get(run)} />
      </h3>
      {state.error !== undefined && <p className={styles.sideError}>{state.error.message}</p>}
      {state.row !== undefined && (
        <WhySlow run={run} row={state.row} detail={detail.kind === 'ready' ? detail.value : undefined} />
      )}
      {state.row !== undefined && <Facts row={state.row} nameOf={nameOf} />}
      {termIds.length > 0 && (
        <div className={styles.legend}>
          <TermLegend termIds={termIds} />
        </div>
      )}
      {state.decisions.map((decision) => (
        <DecisionView
          key={`${decision.stage} ${decision.timeMs}`}
          decision={decision}
          termIds={termIds}
          nameOf={nameOf}
        />
      ))}
      {state.isLoaded && state.decisions.length === 0 && (
        <p className={styles.quiet}>
          No decision of this request is stored: the run’s detail left it out, or it has not been routed.
        </p>
      )}
    </section>
  );
}

interface DecisionViewProps {
  readonly decision: Decision;
  /** Of all decisions of the request, so that a term keeps its colour. */
  readonly termIds: readonly string[];
  readonly nameOf: (instance: number) => string;
}

function DecisionView({ decision, termIds, nameOf }: DecisionViewProps) {
  const candidates: Candidate[] = decision.candidates.map((candidate) => ({
    ...candidate,
    name: nameOf(candidate.instance),
  }));
  const chosen = candidates.find((candidate) => candidate.isChosen);
  return (
    <div className={styles.decision}>
      <div className={styles.decisionHead}>
        <b>{decision.stage}</b> → {chosen?.name ?? 'none'}
        <span className={styles.quiet}>{clockText(decision.timeMs, 1000)}</span>
      </div>
      <ScoreBars candidates={candidates} termIds={termIds} isDetailed />
      {chosen !== undefined && decision.termIds.length > 0 && (
        <details className={styles.terms}>
          <summary>Terms in figures</summary>
          <table className={`${styles.table} selectable`}>
            <thead>
              <tr>
                <th scope="col">Instance</th>
                {decision.termIds.map((id) => (
                  <th key={id} className={styles.number}>
                    {id.replaceAll('_', ' ')}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {candidates.map((candidate) => (
                <tr key={candidate.instance}>
                  <td>
                    {candidate.isChosen ? '▸ ' : ''}
                    {candidate.name}
                  </td>
                  {decision.termIds.map((id) => (
                    <td key={id} className={styles.number} title={String(candidate.terms[id])}>
                      {candidate.terms[id] === undefined ? '–' : threeFigures(candidate.terms[id])}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </details>
      )}
    </div>
  );
}

const facts: readonly (readonly [string, string, string])[] = [
  ['ttft_ms', 'TTFT', 'ttft_ms'],
  ['tpot_ms', 'TPOT', 'tpot_ms'],
  ['e2e_ms', 'E2E', 'e2e_ms'],
  ['queue_ms', 'queue', 'queue_ms'],
  ['prompt_tokens', 'prompt', 'arrived'],
  ['cached_tokens', 'cached', 'arrived'],
  ['output_tokens', 'output', 'arrived'],
];

function Facts({
  row,
  nameOf,
}: {
  readonly row: ReadonlyMap<string, number | string | boolean | null>;
  readonly nameOf: (instance: number) => string;
}) {
  const instance = (column: string) => {
    const value = row.get(column);
    return typeof value === 'number' ? nameOf(value) : '–';
  };
  return (
    <dl className={styles.facts}>
      {facts.map(([column, label, metric]) => {
        const value = row.get(column);
        return (
          <div key={column}>
            <dt>{label}</dt>
            <dd title={String(value)}>
              {formatMetric(metric, typeof value === 'number' ? value : Number.NaN)}
            </dd>
          </div>
        );
      })}
      <div>
        <dt>ran on</dt>
        <dd>
          {instance('prefill_instance')} → {instance('decode_instance')}
        </dd>
      </div>
    </dl>
  );
}

interface RequestState {
  readonly isLoaded: boolean;
  readonly row: ReadonlyMap<string, number | string | boolean | null> | undefined;
  readonly decisions: readonly Decision[];
  readonly error: HostError | undefined;
}

function useRequest(run: string, request: number): RequestState {
  const { client } = useWorkbench();
  const [state, setState] = useState<RequestState>({
    isLoaded: false,
    row: undefined,
    decisions: [],
    error: undefined,
  });
  useEffect(() => {
    let isCurrent = true;
    const rows = client.request('runs.rows', {
      run,
      table: 'requests',
      filter: [{ column: 'request', op: '=', value: request }],
      limit: 1,
    });
    const decisions = client.request('runs.decisions', { run, request });
    void Promise.allSettled([rows, decisions]).then(([row, decision]) => {
      if (!isCurrent) return;
      setState({
        isLoaded: true,
        row: row.status === 'fulfilled' && row.value.rows > 0 ? firstRow(row.value) : undefined,
        decisions: decision.status === 'fulfilled' ? decisionsOf(decision.value) : [],
        error: decision.status === 'rejected' ? errorOf(decision.reason) : undefined,
      });
    });
    return () => {
      isCurrent = false;
    };
  }, [client, run, request]);
  return state;
}

const firstRow = (page: Page) =>
  new Map(page.columns.map((column) => [column.name, column.values[0] ?? null]));
