// docs/run-format.md is made from the registries: `npx vitest run workloads/run/runFormat.test.ts -u` writes it anew.
import { expect, test } from 'vitest';
import { metrics } from '../metrics/registry.ts';
import { capabilities } from './capability.ts';
import { kernelsTable, spansTable } from './kernelTables.ts';
import {
  admissionColumns,
  answerColumns,
  type Column,
  complexityColumns,
  decisionsTable,
  eventsTable,
  iterationsTable,
  requestsTable,
  samplesTable,
  tieredKvTable,
} from './tables.ts';

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

const columnRows = (columns: readonly Column[]): string =>
  [
    '| column | type | unit | meaning |',
    '|---|---|---|---|',
    ...columns.map(
      ({ name, type, unit, meaning }) => `| \`${name}\` | ${type} | ${unit} | ${cell(meaning)} |`,
    ),
  ].join('\n');

const section = (title: string, intro: string, columns: readonly Column[]): string =>
  `### ${title}\n\n${intro}\n\n${columnRows(columns)}\n`;

test('docs/run-format.md says what is written', async () => {
  const document = [
    '# Run spec, tables, bundle',
    '',
    'Made from the registries (`workloads/run`, `workloads/metrics`); a test holds it to them.',
    '',
    '## Bundle',
    '',
    'A run is a folder: `manifest.json` (spec, versions, git commit, hardware, start, end, status, checksums), `summary.json`, and one Parquet file per',
    'table. While the run goes on its tables are in `live.duckdb` of the same folder, committed at least once a second.',
    '',
    '## Run spec',
    '',
    'One JSON document, schema 2 (`workloads/run/spec.ts`); earlier versions are raised when they are read (`upgradeSpec.ts`). Version 2 says per instance',
    'what serves it: `modelled` (a cost model), `gpu` (a GPU of this machine), `server` (a URL). Running a spec again gives byte-identical simulated results.',
    '',
    'What a spec may ask of an engine:',
    '',
    '| capability | means |',
    '|---|---|',
    ...Object.entries(capabilities).map(([id, meaning]) => `| \`${id}\` | ${meaning} |`),
    '',
    '## Tables',
    '',
    'Types on disk: float64 DOUBLE, ns BIGINT (nanoseconds on the run’s clock), int32 INTEGER, bool BOOLEAN, text VARCHAR. Absent values are NULL.',
    '',
    section('requests', 'One row per request, when it ends.', requestsTable.columns),
    section('requests, with an admission policy', 'Further columns.', admissionColumns),
    section('requests, with complexity routing', 'Further columns.', complexityColumns),
    section('requests, answered by a GPU', 'Further columns.', answerColumns),
    section('iterations', 'Like passes of one instance, end to end, in one row.', iterationsTable.columns),
    section(
      'decisions',
      'One row per decision and candidate; a column per term of the router follows.',
      decisionsTable([]).columns,
    ),
    section(
      'kv',
      'What happens to KV blocks; `tier` only where there are memory tiers.',
      tieredKvTable.columns,
    ),
    section('samples', 'Time series: cluster, pools, instances, GPUs.', samplesTable.columns),
    section('events', 'What happens to the cluster.', eventsTable.columns),
    section('kernels', 'Kernels that were measured or recorded.', kernelsTable.columns),
    section('spans', 'Named ranges of a recording.', spansTable.columns),
    '## Metrics',
    '',
    '| metric | unit | better | definition |',
    '|---|---|---|---|',
    ...metrics.map(
      ({ id, unit, better, definition }) => `| \`${id}\` | ${unit} | ${better} | ${cell(definition)} |`,
    ),
    '',
  ].join('\n');
  await expect(document).toMatchFileSnapshot('../../docs/run-format.md');
});
