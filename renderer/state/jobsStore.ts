import { createStore } from 'zustand/vanilla';
import type { Job } from '../../electron/contract/protocol.ts';

export interface JobsState {
  /** In order of start, the latest last. */
  readonly jobs: readonly Job[];
}

export function createJobsStore() {
  return createStore<JobsState>(() => ({ jobs: [] }));
}
export type JobsStore = ReturnType<typeof createJobsStore>;

export const isOpen = (job: Job): boolean =>
  job.state === 'queued' || job.state === 'running' || job.state === 'finishing';

export function withJob(jobs: readonly Job[], job: Job): readonly Job[] {
  const index = jobs.findIndex((known) => known.job === job.job);
  return index === -1 ? [...jobs.slice(-49), job] : jobs.with(index, job);
}

/** The job that the run bar shows: one in progress, else the latest. */
export function shownJob(jobs: readonly Job[]): Job | undefined {
  return (
    jobs.find((job) => job.state === 'running' || job.state === 'finishing') ??
    jobs.find(isOpen) ??
    jobs.at(-1)
  );
}
