import { runTable } from '../../contract/protocol.ts';
import type { CommandLineCommand } from '../commandLine.ts';
import { oneOf } from '../options.ts';
import { withSession } from '../session.ts';

const formats = ['csv', 'json', 'parquet', 'bundle', 'trace', 'vllm', 'aiperf', 'mooncake'] as const;
type Format = (typeof formats)[number];

interface ExportOptions {
  readonly format?: Format;
  readonly table: (typeof tables)[number];
  readonly out: string;
  readonly json?: boolean;
}

const tables = [...runTable.options, 'summary'] as const;

const formatOf = (path: string): Format => {
  if (/\.trace\.json$/i.test(path)) return 'trace';
  const end = path.slice(path.lastIndexOf('.') + 1).toLowerCase();
  return end === 'json' || end === 'parquet' ? end : end === 'csv' ? 'csv' : 'bundle';
};

export const exportCommand: CommandLineCommand = {
  name: 'export',
  register(program, terminal, run) {
    program
      .command('export <run>')
      .description('a table, the summary, or the whole bundle (folder or .zip) of a run')
      .requiredOption('-o, --out <path>', 'what to write; its ending says the format')
      .option(
        '--format <format>',
        'csv, json, parquet, bundle; trace: requests, iterations and decisions for ui.perfetto.dev (.trace.json); vllm: result of vllm bench serve with details; aiperf: folder with its two files; mooncake: trace of what was sent',
        oneOf(...formats),
      )
      .option('--table <table>', `${tables.join(', ')}`, oneOf(...tables), 'requests')
      .option('--json', 'print one JSON document')
      .action((id: string, options: ExportOptions) =>
        run(() =>
          withSession({}, async (session) => {
            const format = options.format ?? formatOf(options.out);
            const { out: path, table } = options;
            const written = await session.request('runs.export', { run: id, format, table, path });
            if (options.json === true)
              terminal.json({
                ...written,
                format,
                ...(['csv', 'json', 'parquet'].includes(format) ? { table } : {}),
              });
            else terminal.print(`${written.path} (${written.bytes} bytes)`);
            return 0;
          }),
        ),
      );
  },
};
