import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { aiperfRecords, aiperfSummary, vllmResult } from '../../../workloads/results/exportResult.ts';
import { InputError } from '../../../workloads/run/inputError.ts';
import { TrafficBuilder } from '../../../workloads/traffic/trafficBuilder.ts';
import { writeMooncake } from '../../../workloads/traffic/writers.ts';
import { bundleRequests } from './bundleRequests.ts';

export type ResultExport = 'vllm' | 'aiperf' | 'mooncake';

/**
 * A run as the file of another load generator: `vllm` one JSON with details, `aiperf` a folder with the pair that its plot
 * tool wants, `mooncake` a trace of what was sent. Returns the bytes written.
 */
export async function exportResult(folder: string, format: ResultExport, path: string): Promise<number> {
  const run = await bundleRequests(folder);
  const write = async (file: string, text: string): Promise<number> => {
    await writeFile(file, text);
    return Buffer.byteLength(text);
  };
  switch (format) {
    case 'vllm':
      return write(path, `${JSON.stringify(vllmResult(run))}\n`);
    case 'aiperf': {
      await mkdir(path, { recursive: true });
      const records = await write(join(path, 'profile_export.jsonl'), [...aiperfRecords(run)].join(''));
      const summary = `${JSON.stringify(aiperfSummary(run), undefined, 2)}\n`;
      return records + (await write(join(path, 'profile_export_aiperf.json'), summary));
    }
    case 'mooncake': {
      const builder = new TrafficBuilder(run.run, 0);
      for (const { arrivalMs, promptTokens, outputTokens } of run.requests) {
        if (arrivalMs === undefined || promptTokens === undefined)
          throw new InputError(`${run.run}: it does not say when each request was sent, a trace needs that`);
        builder.request(Math.round(arrivalMs * 1e6), promptTokens, Math.max(1, outputTokens ?? 1));
      }
      return write(path, [...writeMooncake(builder.traffic())].join(''));
    }
    default: {
      const never: never = format;
      throw new RangeError(String(never));
    }
  }
}
