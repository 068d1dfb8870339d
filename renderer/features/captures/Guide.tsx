import { Button } from '@mantine/core';
import { useStore } from 'zustand';
import { threeFigures } from '../../../workloads/metrics/format.ts';
import { go, subjectRun } from '../../state/actions.ts';
import { exportTrace, openReport } from '../../state/capturesStore.ts';
import { useWorkbench } from '../../state/workbench.ts';
import { ceilingsWith, loadRun, rooflineStore } from '../roofline/rooflineStore.ts';
import { explore } from '../roofline/whatIf.ts';
import styles from './Captures.module.css';

/** Which capture answers which question, with figures of what is open here. */
export function Guide() {
  const workbench = useWorkbench();
  const { whatIf, measured } = useStore(rooflineStore);
  const runs = useStore(workbench.runs, (state) => state.runs);
  const subject = runs.find(({ run }) => run === subjectRun(workbench));
  const { decode, prefill, turning, model, gpu } = explore(whatIf, ceilingsWith(measured));
  return (
    <section className={styles.guide} aria-label="Guide">
      <h1>Which capture answers what</h1>
      <p className={styles.quiet}>
        A captured report opens here: choose one on the left, or drop a file on the window.
      </p>
      <Question title="Is it memory or compute that limits a pass?">
        <p>
          {model.label} on {gpu.label}: {decode?.assessment.verdict ?? 'no ceiling known'} for decode at batch{' '}
          {whatIf.batch} ({threeFigures(decode?.assessment.intensity.hbm ?? 0)} FLOP/B);{' '}
          {prefill?.assessment.verdict ?? ''} for prefill of {whatIf.context} tokens (
          {threeFigures(prefill?.assessment.intensity.hbm ?? 0)} FLOP/B). Left of the ridge a pass waits for
          memory, right of it for arithmetic.{' '}
          {turning === undefined ? '' : `Decode over batch: ${turning.reason}.`}
        </p>
        <Button size="compact-xs" onClick={() => go(workbench, 'roofline')}>
          Open the roofline
        </Button>
        {subject !== undefined && (
          <Button
            size="compact-xs"
            variant="default"
            onClick={() => void loadRun(workbench, subject.run).then(() => go(workbench, 'roofline'))}
          >
            with the passes of {subject.variant}
          </Button>
        )}
      </Question>
      <Question title="Where does the time of a run go: which request waits for whom?">
        <p>
          Requests, iterations and router decisions are in every run already; no profiler is needed.{' '}
          {subject?.headline.ttft_p95_ms !== undefined &&
            `This run: TTFT p95 ${threeFigures(subject.headline.ttft_p95_ms)} ms over ${subject.requests ?? '–'} requests.`}{' '}
          In the trace, follow the arrow from a decision to the iteration that took the request up.
        </p>
        <Button
          size="compact-xs"
          variant="default"
          disabled={subject === undefined}
          onClick={() => void exportTrace(workbench, subject?.run)}
        >
          Export Chrome trace…
        </Button>
      </Question>
      <Question title="Does the GPU wait for the host, for copies, or for nothing?">
        <p>
          Nsight Systems, profile minimal. Look at “Idle bubbles” and “Waiting for the host” under the
          timeline: launches that come too late show as host waits, and CUDA graphs are the remedy; copies
          that are not hidden want a second stream.
        </p>
      </Question>
      <Question title="Why is this kernel slow?">
        <p>
          Nsight Compute, profile roofline, a few launches of one kernel. Far under its roof it is
          latency-bound: too little in flight. At the roof only fewer bytes or fewer operations help. Hardware
          counters need permission; a refusal says how to allow it.
        </p>
        <Button size="compact-xs" variant="default" onClick={() => void openReport(workbench)}>
          Open a report…
        </Button>
      </Question>
      <Question title="What did the optimization change?">
        <p>
          One Nsight Systems capture of each variant, then “Beside a baseline…”: timelines one under the
          other, and kernel by kernel where the time went. It is no verdict; that needs repeated runs without
          a profiler, in Compare.
        </p>
      </Question>
    </section>
  );
}

const Question = ({ title, children }: { readonly title: string; readonly children: React.ReactNode }) => (
  <article>
    <h2>{title}</h2>
    {children}
  </article>
);
