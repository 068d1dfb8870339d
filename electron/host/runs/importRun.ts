import { rm, writeFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import type { MeasuredResult } from '../../../workloads/results/measuredResult.ts';
import {
  requestRows,
  resultSpec,
  resultSummary,
  resultTraffic,
} from '../../../workloads/results/resultRun.ts';
import { writeMooncake } from '../../../workloads/traffic/writers.ts';
import { RunFailure } from '../../shared/runFailure.ts';
import { StreamDecoder } from '../../shared/stream/decoder.ts';
import { StreamEncoder } from '../../shared/stream/encoder.ts';
import { lockBundle, unlockBundle } from '../store/bundleLock.ts';
import { BundleWriter } from '../store/bundleWriter.ts';
import { makeFolder } from '../store/makeFolder.ts';
import { type Manifest, writeManifest } from '../store/manifest.ts';
import { newRunId } from '../store/runsFolder.ts';
import { sealBundle } from '../store/seal.ts';
import { storeError } from './activeRun.ts';

/** Requests of an imported run, for a replay in the simulator. */
export const sentName = 'sent.jsonl';

export interface ImportedRun {
  readonly run: string;
  readonly folder: string;
  readonly requests: number;
}

/** Writes one measured result of another tool as a run bundle below `runs`; RunFailure where it cannot be written. */
export async function importRun(
  runs: string,
  file: string,
  result: MeasuredResult,
  versions: Readonly<Record<string, string>>,
): Promise<ImportedRun> {
  const started = result.started === undefined ? new Date() : new Date(result.started);
  const run = newRunId(result.format);
  const folder = join(runs, run);
  const traffic = resultTraffic(basename(file), result);
  const trace = traffic === undefined ? resolve(file) : join(folder, sentName);
  const spec = resultSpec(result, trace);
  const manifest: Manifest = {
    ...{ schema: 1, run, group: run, title: titleOf(file, result), status: 'running', spec },
    started: (Number.isNaN(started.getTime()) ? new Date() : started).toISOString(),
    versions: { ...versions, ...(result.version === undefined ? {} : { [result.tool]: result.version }) },
    imported: {
      ...{ format: result.format, tool: result.tool, file: basename(file) },
      unknown: [...result.unknown, 'where the servers ran and how they were set up'],
      remarks: [...result.remarks],
    },
    ...{ tags: ['imported'], note: '', files: {} },
    ...(result.durationS === undefined ? {} : { wall_s: result.durationS }),
  };
  let writer: BundleWriter | undefined;
  try {
    await makeFolder(folder);
    lockBundle(folder);
    await writeManifest(folder, manifest);
    writer = await BundleWriter.create(folder, () => undefined);
    appendRows(writer, result);
    for (const remark of result.remarks) writer.log('info', remark, 0);
    for (const unknown of result.unknown) writer.log('info', `${result.tool} does not tell: ${unknown}`, 0);
    await writer.export();
    if (traffic !== undefined) await writeFile(trace, [...writeMooncake(traffic)].join(''));
    const ended: Manifest = { ...manifest, status: 'done', ended: new Date().toISOString() };
    await sealBundle(folder, ended, resultSummary(result, spec));
    writer.close({ remove: true });
    unlockBundle(folder);
    return { run, folder, requests: result.requests.length };
  } catch (thrown) {
    writer?.close({ remove: true });
    // The error that is thrown matters more than a folder that could not be removed.
    await rm(folder, { recursive: true, force: true }).catch(() => undefined);
    throw new RunFailure(storeError(folder, thrown));
  }
}

/** Through the stream's own coding, so that texts are coded in one place. */
function appendRows(writer: BundleWriter, result: MeasuredResult): void {
  if (result.requests.length === 0) return;
  const encoder = new StreamEncoder();
  const decoder = new StreamDecoder();
  for (const frame of encoder.batch(requestRows(result)))
    decoder.push(frame, (message) => {
      if (message.kind === 'batch') writer.append(message);
    });
}

function titleOf(file: string, { tool, part }: MeasuredResult): string {
  const where = part === undefined ? '' : `, ${part}`;
  return `${tool} · ${basename(file)}${where}`;
}
