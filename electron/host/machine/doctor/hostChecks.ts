import { access, constants, mkdtemp, rm, stat, statfs, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus } from 'node:os';
import { dirname, join } from 'node:path';
import { formatMetric } from '../../../../workloads/metrics/format.ts';
import { type Check, type Finding, limited, missing, ok } from './finding.ts';
import type { Machine } from './machine.ts';
import { memoryOf } from './memory.ts';

const oldestNode = [20, 19] as const;
/** The largest simulation of the budgets: a million requests on 1,024 instances in 2 GiB. */
const enoughMemory = 2 * 2 ** 30;
/** A large run with every decision kept, and a capture beside it. */
const enoughDisk = 5e9;

export function hostChecks(machine: Machine): readonly Check[] {
  return [
    {
      id: 'node',
      title: 'Node.js',
      neededFor: 'the command line and the runners',
      look: () => Promise.resolve(node()),
    },
    {
      id: 'processor',
      title: 'Processor',
      neededFor: 'the simulator and the load generator',
      look: () => Promise.resolve(processor()),
    },
    {
      id: 'memory',
      title: 'Memory',
      neededFor: 'large simulations: a million requests on 1,024 instances take up to 2.2 GB',
      look: () => Promise.resolve(memory(machine)),
    },
    {
      id: 'runs_folder',
      title: 'Runs folder',
      neededFor: 'run bundles and captures',
      look: () => runsFolder(machine.runsFolder),
    },
    {
      id: 'duckdb',
      title: 'DuckDB',
      neededFor: 'writing and reading run bundles',
      look: duckdb,
    },
  ];
}

function node(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const isEnough = major > oldestNode[0] || (major === oldestNode[0] && minor >= oldestNode[1]);
  const inside = process.versions['electron'] === undefined ? '' : ' (inside Electron)';
  const text = `${process.versions.node}${inside}`;
  // Electron 33 carries 20.18, on which everything Dyno needs has been run.
  if (isEnough || inside !== '') return ok(text);
  return limited(`${text}: older than ${oldestNode.join('.')}`, 'Install a newer one: nodejs.org/download');
}

function processor(): Finding {
  const cores = availableParallelism();
  const text = `${cpus()[0]?.model.trim() ?? 'unknown'}, ${cores} core${cores === 1 ? '' : 's'} for this process`;
  return cores >= 2
    ? ok(text)
    : limited(`${text}: window, host and runner share it`, 'Give the machine two cores.');
}

function memory(machine: Machine): Finding {
  const { total, available } = memoryOf(machine);
  const text = `${formatMetric('memory_free_bytes', available)} available of ${formatMetric('memory_free_bytes', total)}`;
  return available >= enoughMemory ? ok(text) : limited(text, 'Close something, or choose smaller runs.');
}

async function runsFolder(folder: string): Promise<Finding> {
  const existing = await nearestExisting(folder);
  const remedy = 'Choose another one: `DYNO_HOME=/some/folder`';
  try {
    if (!(await stat(existing)).isDirectory()) return missing(`${existing} is a file, not a folder`, remedy);
    if (existing === folder) {
      const probe = await mkdtemp(join(folder, '.doctor-'));
      await writeFile(join(probe, 'probe'), 'x').finally(() => rm(probe, { recursive: true, force: true }));
    } else await access(existing, constants.W_OK);
  } catch (error) {
    const why = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    return missing(`${folder}: cannot be written to (${why})`, remedy);
  }
  const { bavail, bsize } = await statfs(existing);
  const free = bavail * bsize;
  const text = `${folder}${existing === folder ? '' : ' (made at the first run)'}, ${formatMetric('memory_free_bytes', free)} free`;
  return free >= enoughDisk
    ? ok(text)
    : limited(text, `Delete runs in the history, or free the disk. ${remedy}`);
}

async function nearestExisting(folder: string): Promise<string> {
  for (let at = folder; ; at = dirname(at)) {
    try {
      await access(at);
      return at;
    } catch {
      if (dirname(at) === at) return at;
    }
  }
}

async function duckdb(): Promise<Finding> {
  try {
    const { DuckDBInstance } = await import('@duckdb/node-api');
    const instance = await DuckDBInstance.create(':memory:');
    const connection = await instance.connect();
    try {
      const reader = await connection.runAndReadAll(
        "SELECT version(), count(*) FROM duckdb_extensions() WHERE extension_name = 'parquet' AND loaded",
      );
      const [version, parquet] = reader.getRows()[0] ?? [];
      return Number(parquet) === 1
        ? ok(`${String(version)}, with Parquet`)
        : limited(`${String(version)}, without Parquet`, 'Install it again: `npm ci`');
    } finally {
      connection.closeSync();
      instance.closeSync();
    }
  } catch (error) {
    const words = error instanceof Error ? error.message.split('\n')[0] : String(error);
    return missing(`does not load: ${words}`, 'Install it again: `npm ci`');
  }
}
