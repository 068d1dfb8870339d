import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { RunSpec } from '../../workloads/harness/spec.ts';
import {
  operatorFiles,
  provideOperatorTables,
  readOperatorTables,
} from '../../workloads/sim/operatorTables.ts';
import { InputError } from '../../workloads/traffic/traffic.ts';
import { checkReadable, openBytes } from './openFile.ts';

/** SHA-256 of the three tables of a folder, one after the other: what a spec names them by. */
export function operatorSha256(folder: string): string {
  const hash = createHash('sha256');
  for (const file of [operatorFiles.attention, operatorFiles.dense, operatorFiles.perSequence]) {
    checkReadable(`${folder}/${file}`, 'an operator table (CSV)');
    hash.update(readFileSync(`${folder}/${file}`));
  }
  return hash.digest('hex');
}

/** Reads the operator tables that the spec names, and holds them against their SHA-256. */
export async function loadOperatorTables(spec: Pick<RunSpec, 'cluster'>): Promise<void> {
  const done = new Set<string>();
  for (const { cost } of spec.cluster.instances) {
    if (cost.kind !== 'operators' || done.has(cost.sha256)) continue;
    const found = operatorSha256(cost.path);
    if (found !== cost.sha256) {
      throw new InputError(
        `${cost.path}: operator tables with SHA-256 ${found.slice(0, 12)}…, expected ${cost.sha256.slice(0, 12)}…`,
      );
    }
    provideOperatorTables(
      found,
      await readOperatorTables(cost.path, (file) => openBytes(`${cost.path}/${file}`)),
    );
    done.add(found);
  }
}
