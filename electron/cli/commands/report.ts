import { statSync } from 'node:fs';
import type { CommandLineCommand } from '../commandLine.ts';
import { withSession } from '../session.ts';

interface ReportOptions {
  readonly out: string;
  readonly json?: boolean;
}

export const report: CommandLineCommand = {
  name: 'report',
  register(program, terminal, run) {
    program
      .command('report <baseline> [optimized]')
      .description('an HTML report of one run or of a comparison (id or bundle folder)')
      .requiredOption('-o, --out <file>', 'the HTML file to write')
      .option('--json', 'print one JSON document')
      .action((baseline: string, optimized: string | undefined, options: ReportOptions) =>
        run(() =>
          withSession({}, async (session) => {
            const written = await session.request('runs.report', {
              baseline,
              optimized: optimized ?? baseline,
              path: options.out,
            });
            if (options.json === true) terminal.json(written);
            else terminal.print(`${written.path} (${statSync(written.path).size} bytes)`);
            return 0;
          }),
        ),
      );
  },
};
