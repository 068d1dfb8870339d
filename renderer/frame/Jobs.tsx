import { Menu } from '@mantine/core';
import { useEffect } from 'react';
import { useStore } from 'zustand';
import { cancelJob, go, openRun } from '../state/actions.ts';
import { cancelCapture, capturesStore, followCaptures, isOpenCapture } from '../state/capturesStore.ts';
import { isOpen } from '../state/jobsStore.ts';
import { useWorkbench } from '../state/workbench.ts';
import styles from './Frame.module.css';

/** What goes on: runs and captures, each opened by a click and cancelled beside it. */
export function Jobs() {
  const workbench = useWorkbench();
  const jobs = useStore(workbench.jobs, (state) => state.jobs);
  const captures = useStore(capturesStore, (state) => state.captures);
  useEffect(() => followCaptures(workbench), [workbench]);
  const runs = jobs.filter(isOpen);
  const recording = captures.filter(isOpenCapture);
  const count = runs.length + recording.length;
  return (
    <Menu position="top-end" width={300}>
      <Menu.Target>
        <button type="button" className={styles.stripButton} data-testid="jobs" data-count={count}>
          {count === 0 ? 'no jobs' : `${count} ${count === 1 ? 'job' : 'jobs'}`}
        </button>
      </Menu.Target>
      <Menu.Dropdown>
        {count === 0 && <Menu.Label>Nothing runs or waits.</Menu.Label>}
        {runs.map((job) => (
          <Menu.Item
            key={job.job}
            onClick={() => {
              const current = job.runs[job.current]?.run;
              const info = workbench.runs.getState().runs.find(({ run }) => run === current);
              if (info === undefined) go(workbench, 'live');
              else openRun(workbench, info);
            }}
            rightSection={job.state}
          >
            {job.title}
          </Menu.Item>
        ))}
        {recording.map((capture) => (
          <Menu.Item
            key={capture.capture}
            onClick={() => {
              capturesStore.setState({ shown: capture.capture, other: undefined });
              go(workbench, 'captures');
            }}
            rightSection={capture.state}
          >
            {capture.tool}: {capture.title}
          </Menu.Item>
        ))}
        {count > 0 && <Menu.Divider />}
        {runs.length > 0 && (
          <Menu.Item color="red" onClick={() => void cancelJob(workbench)}>
            Cancel the running job
          </Menu.Item>
        )}
        {recording.map(({ capture, title }) => (
          <Menu.Item key={capture} color="red" onClick={() => void cancelCapture(workbench, capture)}>
            Cancel {title}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}
