import type { RunInfo } from '../../../electron/contract/protocol.ts';

/** Every word of the query occurs somewhere in what a user knows of a run. */
export function matchesQuery(run: RunInfo, query: string): boolean {
  const text = [run.run, run.target, run.title, run.variant, run.engine, run.status, run.note, ...run.tags]
    .join(' ')
    .toLowerCase();
  return query
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}
