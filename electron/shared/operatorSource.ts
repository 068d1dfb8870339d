import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { moeFile } from '../../workloads/cost/moeTable.ts';
import {
  hasOperatorTables,
  operatorFiles,
  provideOperatorTables,
  readOperatorTables,
} from '../../workloads/cost/operatorTables.ts';
import type { CostSpec } from '../../workloads/run/costSpec.ts';
import { InputError } from '../../workloads/run/inputError.ts';
import type { InstanceSpec, ModelledInstance } from '../../workloads/run/instanceSpec.ts';
import type { RunSpec } from '../../workloads/run/spec.ts';
import { openBytes, readWhole } from './openFile.ts';

/** A table of measured operators has some megabytes. */
const mostTableBytes = 1024 * 1024 * 1024;

const hasMoe = (folder: string): boolean => existsSync(`${folder}/${moeFile}`);

/** SHA-256 of the tables of a folder, one after the other: what a spec names them by. */
export function operatorSha256(folder: string): string {
  const hash = createHash('sha256');
  for (const file of [operatorFiles.attention, operatorFiles.dense, operatorFiles.perSequence]) {
    hash.update(readWhole(`${folder}/${file}`, 'an operator table (CSV)', mostTableBytes));
  }
  if (hasMoe(folder))
    hash.update(readWhole(`${folder}/${moeFile}`, 'an operator table (CSV)', mostTableBytes));
  return hash.digest('hex');
}

type MeasuredInstance = ModelledInstance & { readonly cost: Extract<CostSpec, { kind: 'operators' }> };

const isMeasured = (instance: InstanceSpec): instance is MeasuredInstance =>
  instance.serves === 'modelled' && instance.cost.kind === 'operators';

const isUnpinned = (instance: InstanceSpec): instance is MeasuredInstance =>
  isMeasured(instance) && instance.cost.sha256 === undefined;

/**
 * The spec with the checksum of each folder of operator tables, and its path made absolute: it then means the same tables wherever
 * it is run again. Throws InputError where a table cannot be read.
 */
export function pinOperatorTables(spec: RunSpec): RunSpec {
  if (!spec.cluster.instances.some(isUnpinned)) return spec;
  const known = new Map<string, string>();
  const instances = spec.cluster.instances.map((instance) => {
    if (!isUnpinned(instance)) return instance;
    const { cost } = instance;
    const path = resolve(cost.path);
    const sha256 = known.get(path) ?? operatorSha256(path);
    known.set(path, sha256);
    return { ...instance, cost: { ...cost, path, sha256 } };
  });
  return { ...spec, cluster: { ...spec.cluster, instances } };
}

/** Reads the operator tables that the spec names, and holds them against their SHA-256. */
export async function loadOperatorTables(spec: Pick<RunSpec, 'cluster'>): Promise<void> {
  const done = new Set<string>();
  for (const instance of spec.cluster.instances) {
    if (!isMeasured(instance)) continue;
    const { cost } = instance;
    if (cost.sha256 === undefined)
      throw new InputError(`${cost.path}: operator tables without a SHA-256 in the run spec`);
    if (done.has(cost.sha256)) continue;
    const found = operatorSha256(cost.path);
    if (found !== cost.sha256) {
      throw new InputError(
        `${cost.path}: operator tables with SHA-256 ${found.slice(0, 12)}…, expected ${cost.sha256.slice(0, 12)}…`,
      );
    }
    done.add(found);
    // A sweep names the same tables in each of its runs.
    if (hasOperatorTables(found)) continue;
    provideOperatorTables(
      found,
      await readOperatorTables(cost.path, (file) => openBytes(`${cost.path}/${file}`), hasMoe(cost.path)),
    );
  }
}
