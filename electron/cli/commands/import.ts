import { resolve } from 'node:path';
import { formatMetric } from '../../../workloads/metrics/format.ts';
import type { MeasuredResult } from '../../../workloads/results/measuredResult.ts';
import { dynoVersion, projectFolder } from '../../host/machine/dynoVersion.ts';
import { type ImportedRun, importRun } from '../../host/runs/importRun.ts';
import { runsFolder } from '../../host/store/runsFolder.ts';
import { readResultFile } from '../../shared/results/readResultFile.ts';
import type { CommandLineCommand } from '../commandLine.ts';
import type { Terminal } from '../terminal.ts';
import { textTable } from '../textTable.ts';

/** Results of other load generators as measured runs. */
export const importCommand: CommandLineCommand = {
  name: 'import',
  register(program, terminal, run) {
    program
      .command('import <file...>')
      .description(
        'the result of vllm bench serve, AIPerf, inference-perf, guidellm or SGLang bench as a measured run',
      )
      .option('--out <folder>', 'folder of runs (default: the history)')
      .option('--json', 'print one JSON document')
      .action((files: string[], options: { readonly out?: string; readonly json?: boolean }) =>
        run(() => importFiles(files, options, terminal)),
      );
  },
};

interface Imported extends ImportedRun {
  readonly file: string;
  readonly result: MeasuredResult;
}

async function importFiles(
  files: readonly string[],
  options: { readonly out?: string; readonly json?: boolean },
  terminal: Terminal,
): Promise<number> {
  const folder = options.out === undefined ? runsFolder() : resolve(options.out);
  const versions = { dyno: dynoVersion(projectFolder(import.meta.url)) };
  // All files are read before the first run is written: a bad one leaves nothing behind.
  const read: { readonly file: string; readonly result: MeasuredResult }[] = [];
  for (const file of files) for (const result of await readResultFile(file)) read.push({ file, result });
  const imported: Imported[] = [];
  for (const { file, result } of read)
    imported.push({ ...(await importRun(folder, file, result, versions)), file, result });
  if (options.json === true) {
    terminal.json(
      imported.map(({ run, folder: place, file, result }) => ({
        ...{ run, folder: place, file, format: result.format, tool: result.tool },
        ...{ requests: result.requests.length, unknown: result.unknown, remarks: result.remarks },
        reported: result.figures,
      })),
    );
    return 0;
  }
  terminal.print(
    textTable(
      [
        ...[{ title: 'run' }, { title: 'tool' }, { title: 'requests', align: 'right' as const }],
        ...[{ title: 'TTFT p50', align: 'right' as const }, { title: 'file' }],
      ],
      imported.map(({ run, file, result }) => [
        run,
        result.tool,
        String(result.requests.length),
        ttft(result),
        file,
      ]),
    ),
  );
  for (const { result } of imported) {
    for (const remark of result.remarks) terminal.note(`${result.tool}: ${remark}`);
    terminal.note(`${result.tool} does not tell ${result.unknown.join('; ')}`);
  }
  return 0;
}

/** The median of a few numbers is enough for a line; the summary has the exact figures. */
function ttft({ requests }: MeasuredResult): string {
  const values = requests
    .flatMap(({ ttftMs }) => (ttftMs === undefined ? [] : [ttftMs]))
    .sort((a, b) => a - b);
  const middle = values[Math.floor(values.length / 2)];
  return middle === undefined ? 'not known' : formatMetric('ttft_ms', middle);
}
