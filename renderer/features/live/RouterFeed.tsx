import { useEffect, useState } from 'react';
import { useStore } from 'zustand';
import type { DecisionRow } from '../../../electron/contract/events.ts';
import { useRunDetail } from '../../state/runDetails.ts';
import { clockText } from '../../state/timeRange.ts';
import { useWorkbench } from '../../state/workbench.ts';
import styles from './Live.module.css';
import { ScoreBars, TermLegend } from './ScoreBars.tsx';

const shown = 14;
const updateEveryMs = 400;

/** The router's latest decisions, the newest first. */
export function RouterFeed() {
  const { live, window: store } = useWorkbench();
  const run = useStore(live.store, (state) => state.run);
  const detail = useRunDetail(run);
  const [decisions, setDecisions] = useState<readonly DecisionRow[]>([]);

  useEffect(() => {
    let seen = -1;
    const look = () => {
      const data = live.data;
      if (data === undefined || data.version === seen) return;
      seen = data.version;
      setDecisions(data.decisions.slice(-shown).reverse());
    };
    look();
    const timer = setInterval(look, updateEveryMs);
    return () => clearInterval(timer);
  }, [live]);

  if (run === undefined || decisions.length === 0)
    return (
      <p className={styles.feedEmpty}>
        Each decision of the router appears here while a run goes on: every candidate’s score by term, the
        chosen one marked.
      </p>
    );
  const termIds = [
    ...new Set(decisions.flatMap(({ candidates }) => candidates.flatMap(({ terms }) => Object.keys(terms)))),
  ].sort();
  const instances = detail.kind === 'ready' ? detail.value.instances : [];
  const nameOf = (instance: number) => instances[instance]?.name ?? `#${instance}`;
  return (
    <div className={styles.feed} data-testid="router-feed" data-decisions={decisions.length}>
      <TermLegend termIds={termIds} />
      {decisions.map((decision) => (
        <button
          key={`${decision.request} ${decision.stage} ${decision.time_ms}`}
          type="button"
          className={styles.decision}
          onClick={() => store.setState({ selection: { kind: 'request', run, request: decision.request } })}
        >
          <span className={styles.decisionHead}>
            <span>#{decision.request}</span>
            <span className={styles.decisionStage}>{decision.stage}</span>
            <span>→ {nameOf(decision.chosen)}</span>
            <span className={styles.decisionTime}>{clockText(decision.time_ms, 10_000)}</span>
          </span>
          <ScoreBars
            candidates={decision.candidates.map((candidate) => ({
              ...candidate,
              name: nameOf(candidate.instance),
              isChosen: candidate.instance === decision.chosen,
            }))}
            termIds={termIds}
            isDetailed={false}
          />
        </button>
      ))}
    </div>
  );
}
