import { existsSync } from 'node:fs';
import type { Job } from '../contract/protocol.ts';
import { exitStatusOf } from '../shared/runFailure.ts';
import type { Session } from './session.ts';
import type { Terminal } from './terminal.ts';

/** A job that did not get to its end: says why, and where what was measured is. */
export function unfinished(
  job: Job,
  session: Session,
  options: { readonly json?: boolean },
  terminal: Terminal,
): number {
  const begun = job.runs.filter(({ status }) => status !== 'queued' && status !== 'running');
  const kept = begun.flatMap(({ run, status }) => {
    try {
      const folder = session.host.folderOf(run);
      return existsSync(folder) ? [{ run, status, folder }] : [];
    } catch {
      return [];
    }
  });
  const status = job.state === 'cancelled' ? 130 : job.error === undefined ? 1 : exitStatusOf(job.error);
  if (options.json === true) terminal.json({ status: job.state, error: job.error, runs: kept });
  if (job.error !== undefined) {
    terminal.note(`dyno: ${job.error.message}`);
    if (job.error.hint !== undefined) terminal.note(`  ${job.error.hint}`);
  } else terminal.note('cancelled');
  if (status !== 2 && status !== 3)
    for (const { run, status: how, folder } of kept) terminal.note(`kept: ${run} (${how}) in ${folder}`);
  return status;
}
