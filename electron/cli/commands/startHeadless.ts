import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { catalog } from '../../../workloads/catalog/catalog.ts';
import { runsFolder } from '../../host/store/runsFolder.ts';
import type { CommandLineCommand } from '../commandLine.ts';
import { benchTarget } from '../servingBench.ts';

/** The command that `npm start` runs on a machine without a display. It replaces the window there, so the help does not list it. */
export const startHeadless: CommandLineCommand = {
  name: 'start-headless',
  register(program, terminal, run) {
    program
      .command('start-headless', { hidden: true })
      .allowUnknownOption()
      .allowExcessArguments()
      .action(() =>
        run(async () => {
          const [target] = catalog;
          const folder = resolve(runsFolder(), '..', 'reports');
          mkdirSync(folder, { recursive: true });
          const stamp = new Date().toISOString().replace(/[-:]/g, '').slice(0, 15);
          const report = join(folder, `default-lab-${stamp}.html`);
          terminal.note(
            `Running the default lab, ${target?.id ?? ''}, baseline against optimized, on the built-in hour of traffic.`,
          );
          return benchTarget(
            target?.id,
            { engine: 'sim', seed: 0, iterations: 1, pace: 'max', keep: true, report },
            terminal,
          );
        }),
      );
  },
};
