import type { ServerReport } from '../../../workloads/engines/http/servers/serverReport.ts';
import { parseServer } from '../../../workloads/run/serverAddress.ts';
import { probeServer } from '../../shared/servers/probeServer.ts';
import type { CommandLineCommand } from '../commandLine.ts';
import type { Terminal } from '../terminal.ts';
import { textTable } from '../textTable.ts';

/** Describes servers: their engine, the metrics they publish, and the flags that would make them publish more. */
export const servers: CommandLineCommand = {
  name: 'servers',
  register(program, terminal, run) {
    program
      .command('servers <url...>')
      .description(
        'ask servers what they are and what they tell; URL,name=…,kv-events=…,key-env=… as for --server',
      )
      .option('--no-generate', 'send no tokens: several capabilities then stay unknown')
      .option('--json', 'print one JSON document')
      .action((urls: string[], options: { readonly generate: boolean; readonly json?: boolean }) =>
        run(() => probe(urls, options, terminal)),
      );
  },
};

async function probe(
  urls: readonly string[],
  options: { readonly generate: boolean; readonly json?: boolean },
  terminal: Terminal,
): Promise<number> {
  const asked = urls.map(parseServer);
  const reports = await Promise.all(
    asked.map((server) => probeServer(server, { generates: options.generate })),
  );
  if (options.json === true) terminal.json(reports);
  else for (const report of reports) show(report, terminal);
  return reports.every(({ reachable }) => reachable) ? 0 : 1;
}

function show(report: ServerReport, terminal: Terminal): void {
  const { paint } = terminal;
  const facts = [
    report.dialect,
    report.version,
    report.models.join(', '),
    report.contextTokens === undefined ? undefined : `context ${report.contextTokens}`,
    report.slots === undefined ? undefined : `${report.slots} slots`,
    report.kvTokens === undefined ? undefined : `KV cache ${report.kvTokens} tokens`,
  ].filter((fact) => fact !== undefined && fact !== '');
  terminal.print(
    `${paint.bold(report.name)} ${report.url}${facts.length > 0 ? `: ${facts.join(' · ')}` : ''}`,
  );
  if (report.remark !== undefined) terminal.print(`  ${paint.bad(report.remark)}`);
  if (report.capabilities.length === 0) return;
  const marks = { yes: paint.good('yes'), no: paint.bad('no'), unknown: 'unknown' };
  terminal.print(
    textTable(
      [{ title: 'what' }, { title: '' }, { title: 'found' }],
      report.capabilities.map(({ label, state, found }) => [label, marks[state], found]),
    ),
  );
  for (const { label, remedy } of report.capabilities)
    if (remedy !== undefined) terminal.print(`${label}: ${remedy}`);
}
