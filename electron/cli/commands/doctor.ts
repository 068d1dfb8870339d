import type { CommandLineCommand } from '../commandLine.ts';
import { withSession } from '../session.ts';
import { textTable } from '../textTable.ts';

export const doctor: CommandLineCommand = {
  name: 'doctor',
  register(program, terminal, run) {
    program
      .command('doctor')
      .description('what works on this machine, and how to get the rest')
      .option('--json', 'print one JSON document')
      .action((options: { readonly json?: boolean }) =>
        run(() =>
          withSession({}, async (session) => {
            const machine = await session.request('machine.describe', {});
            const { checks } = await session.request('doctor.check', {});
            if (options.json === true) {
              terminal.json({ machine, checks });
              return 0;
            }
            const { paint } = terminal;
            const marks = { ok: paint.good('ok'), limited: 'limited', missing: paint.bad('missing') };
            terminal.print(
              textTable(
                [{ title: 'what' }, { title: 'state' }, { title: 'found' }],
                checks.map(({ title, state, found }) => [title, marks[state], found]),
              ),
            );
            const advice = checks.filter(({ state, advice: text }) => state !== 'ok' && text !== undefined);
            if (advice.length > 0)
              terminal.print(
                ['', ...advice.map(({ title, advice: text }) => `${title}: ${text ?? ''}`)].join('\n'),
              );
            return 0;
          }),
        ),
      );
  },
};
