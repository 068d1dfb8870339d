import { formatMetric } from '../../../workloads/metrics/format.ts';
import { InputError } from '../../../workloads/run/inputError.ts';
import type { CommandLineCommand } from '../commandLine.ts';
import { integer } from '../options.ts';
import { withSession } from '../session.ts';
import type { Terminal } from '../terminal.ts';
import { textTable } from '../textTable.ts';

interface RunsOptions {
  readonly json?: boolean;
  readonly limit: number;
  readonly target?: string;
  readonly delete?: readonly string[];
}

export const runs: CommandLineCommand = {
  name: 'runs',
  register(program, terminal, run) {
    program
      .command('runs')
      .description('the history: runs made before, the latest first')
      .option('--limit <n>', 'show at most n', integer(1, 100_000), 20)
      .option('--target <text>', 'only runs whose target holds this text')
      .option('--delete <run...>', 'delete these runs')
      .option('--json', 'print one JSON document')
      .action((options: RunsOptions) => run(() => history(options, terminal)));
  },
};

function history(options: RunsOptions, terminal: Terminal): Promise<number> {
  return withSession({}, async (session) => {
    if (options.delete !== undefined) {
      await session.request('runs.delete', { runs: [...options.delete] });
      terminal.note(`deleted ${options.delete.length}`);
      if (options.json === true) terminal.json({ deleted: options.delete });
      return 0;
    }
    const { runs: all, unreadable } = await session.request('runs.list', {});
    const { target } = options;
    const found = (target === undefined ? all : all.filter((info) => info.target.includes(target))).slice(
      0,
      options.limit,
    );
    if (options.json === true) {
      terminal.json({ folder: session.host.runsFolder, runs: found, unreadable });
      return 0;
    }
    if (target !== undefined && found.length === 0)
      throw new InputError(`no run of a target with "${target}" in its name`);
    if (found.length === 0) terminal.print(`no runs yet in ${session.host.runsFolder}`);
    else {
      const value = (id: string, number: number | undefined) =>
        number === undefined ? '–' : formatMetric(id, number);
      terminal.print(
        textTable(
          [
            { title: 'run' },
            { title: 'target' },
            { title: 'status' },
            { title: 'requests', align: 'right' },
            { title: 'TTFT p95', align: 'right' },
            { title: 'goodput', align: 'right' },
            { title: 'took', align: 'right' },
          ],
          found.map(({ run, target: of, status, requests, headline, wall_s: wall }) => [
            run,
            of,
            status,
            requests === undefined ? '–' : String(requests),
            value('ttft_ms.p95', headline.ttft_p95_ms),
            value('goodput_rps', headline.goodput_rps),
            wall === undefined ? '–' : `${wall.toFixed(1)} s`,
          ]),
        ),
      );
    }
    for (const { folder, reason } of unreadable) terminal.note(`unreadable: ${folder}: ${reason}`);
    return 0;
  });
}
