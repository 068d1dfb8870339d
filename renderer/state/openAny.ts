import { chooseTrace, go, refreshRuns } from './actions.ts';
import { openReportAt } from './capturesStore.ts';
import { errorOf } from './hostClient.ts';
import { notify, notifyError } from './notices.ts';
import type { Workbench } from './workbench.ts';

/** Opens any file: the host looks into it and says what it is, and the window does what is obvious with that. */
export async function openAny(workbench: Workbench, path: string): Promise<void> {
  const name = path.split(/[/\\]/).at(-1) ?? path;
  try {
    const { kind, what, findings, runs } = await workbench.client.request('files.open', { path });
    const about = [what, ...findings].join('; ');
    switch (kind) {
      case 'trace':
        chooseTrace(workbench, path);
        return;
      case 'timeline':
      case 'counters':
        await openReportAt(workbench, path);
        return;
      case 'result':
        await refreshRuns(workbench);
        notify(
          name,
          `${about}: ${runs.length === 1 ? 'a measured run' : `${runs.length} measured runs`} of the history`,
        );
        go(workbench, 'history');
        return;
      case 'model':
        notify(name, `${about}: give its path as the model of a run, or to dyno models`);
        return;
      case 'run':
      case 'spec':
        notify(
          name,
          `${about}: ${kind === 'run' ? 'put it into the runs folder' : `dyno run --spec ${name} runs it`}`,
        );
        return;
      default:
        kind satisfies never;
    }
  } catch (thrown) {
    const error = errorOf(thrown);
    // A trace that leaves a question open: its form has the options that answer it.
    if (/--(time-unit|block-tokens|rate|output-tokens|chars-per-token) /.test(error.message)) {
      chooseTrace(workbench, path);
      return;
    }
    notifyError(`${name} was not opened`, error);
  }
}
