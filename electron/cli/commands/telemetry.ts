import { createWriteStream, existsSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { finished } from 'node:stream/promises';
import { nativeFolder } from '../../../native/index.ts';
import { metricOf } from '../../../workloads/metrics/registry.ts';
import { InputError } from '../../../workloads/run/inputError.ts';
import { GpuTelemetry } from '../../host/machine/telemetry/gpuTelemetry.ts';
import { metricNames } from '../../host/machine/telemetry/nativeMetrics.ts';
import { openDrivers } from '../../shared/nativeDrivers.ts';
import { RunFailure } from '../../shared/runFailure.ts';
import type { CommandLineCommand } from '../commandLine.ts';
import { positive } from '../options.ts';
import type { Terminal } from '../terminal.ts';

interface Options {
  readonly seconds: number;
  readonly out: string;
  readonly json?: boolean;
}

/** Writes samples of the GPUs to a file. */
export const telemetry: CommandLineCommand = {
  name: 'telemetry',
  register(program, terminal, run) {
    const group = program.command('telemetry').description('GPU telemetry of this machine');
    group
      .command('record')
      .description('record every metric of every GPU to a CSV file')
      .requiredOption('--seconds <n>', 'how long', positive('seconds'))
      .requiredOption('--out <file>', 'the CSV file: time_ns, source, metric, unit, value')
      .option('--json', 'print one JSON document about the recording')
      .exitOverride()
      .action((options: Options) => run(() => record(options, terminal)));
  },
};

async function record({ seconds, out, json }: Options, terminal: Terminal): Promise<number> {
  const path = resolve(out);
  if (!existsSync(dirname(path))) throw new InputError(`--out ${out}: there is no folder ${dirname(path)}`);
  const gpus = new GpuTelemetry(() => openDrivers(nativeFolder(import.meta.url)));
  const partial = `${path}.tmp`;
  const file = createWriteStream(partial);
  file.write('time_ns,source,metric,unit,value\n');
  const units = metricNames.map((id) => metricOf(id).unit);
  const counts = new Map<string, number>();
  const notices: string[] = [];
  let isInterrupted = false;
  const stop = gpus.listen(({ rows, timeNs, gpu, metric, value, notices: told }) => {
    const lines: string[] = [];
    for (let row = 0; row < rows; row++) {
      const id = metric[row] ?? 0;
      const much = value[row] ?? Number.NaN;
      const name = metricNames[id] ?? '';
      counts.set(name, (counts.get(name) ?? 0) + 1);
      // An empty value is a gap.
      lines.push(
        `${Math.round(timeNs[row] ?? 0)},gpu:${gpu[row] ?? 0},${name},${units[id] ?? ''},${Number.isNaN(much) ? '' : much}\n`,
      );
    }
    file.write(lines.join(''));
    for (const { message } of told) {
      notices.push(message);
      terminal.note(message);
    }
  });
  try {
    await gpus.settled();
    if (gpus.absentReason !== undefined)
      throw new RunFailure({
        code: 'missing',
        message: `no GPU to record: ${gpus.absentReason}`,
        hint: '`dyno doctor` says what is missing.',
      });
    await new Promise<void>((done) => {
      const timer = setTimeout(done, seconds * 1000);
      process.once('SIGINT', () => {
        isInterrupted = true;
        clearTimeout(timer);
        done();
      });
    });
    gpus.drain();
    stop();
    await gpus.close();
    file.end();
    await finished(file);
    await rename(partial, path);
  } finally {
    stop();
    await gpus.close();
    file.destroy();
    await rm(partial, { force: true });
  }
  const samples = [...counts.values()].reduce((sum, n) => sum + n, 0);
  if (json === true)
    terminal.json({ out: path, seconds, samples, metrics: Object.fromEntries(counts), notices });
  else terminal.print(`${samples} samples of ${counts.size} metrics in ${path}`);
  return isInterrupted ? 130 : 0;
}
