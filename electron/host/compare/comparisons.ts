import { basename } from 'node:path';
import type { Comparison } from '../../contract/protocol.ts';
import { RunFailure } from '../../shared/runFailure.ts';
import type { HeavyTasks } from '../heavyTasks.ts';
import type { RunShelf } from '../runs/runShelf.ts';
import { isKernels, isServing, type Manifest, summaryName } from '../store/manifest.ts';
import { isKernelSummary, readSummary, type SummaryHead } from '../store/runIndex.ts';
import { requireWhole } from '../store/verifyFiles.ts';
import { type ComparedKernels, compareKernels } from './compareKernels.ts';
import { type ComparedRun, compareRuns } from './compareRuns.ts';

const kept = 50;

/** What a comparison reads of a finished bundle must be what was sealed. */
async function requireSealed({ folder, manifest }: { folder: string; manifest: Manifest }): Promise<void> {
  if (manifest.status === 'running') return;
  for (const file of [summaryName, 'requests.parquet', 'kernels.parquet', 'samples.parquet'])
    if (manifest.files[file] !== undefined) await requireWhole(folder, manifest, file);
}

/** Comparisons of runs, serving or kernels; those of finished runs are kept. */
export class Comparisons {
  private readonly shelf: RunShelf;
  private readonly tasks: HeavyTasks;
  private readonly made = new Map<string, Comparison>();

  constructor(shelf: RunShelf, tasks: HeavyTasks) {
    this.shelf = shelf;
    this.tasks = tasks;
  }

  /** Finished bundles do not change: the comparison of a pair is made once. */
  async compare(baseline: string, optimized: string): Promise<Comparison> {
    const [left, right] = [await this.shelf.find(baseline), await this.shelf.find(optimized)];
    for (const side of [left, right]) await requireSealed(side);
    const isFinal = left.manifest.status !== 'running' && right.manifest.status !== 'running';
    const key = JSON.stringify([left.folder, right.folder]);
    const known = isFinal ? this.made.get(key) : undefined;
    if (known !== undefined) return known;
    const made =
      isKernels(left.manifest) && isKernels(right.manifest)
        ? await compareKernels(await this.kernelRun(baseline), await this.kernelRun(optimized))
        : await compareRuns(this.tasks, await this.compared(baseline), await this.compared(optimized));
    if (isFinal) {
      this.made.set(key, made);
      for (const oldest of this.made.keys()) {
        if (this.made.size <= kept) break;
        this.made.delete(oldest);
      }
    }
    return made;
  }

  private async compared(run: string): Promise<ComparedRun> {
    const { folder, manifest } = await this.shelf.find(run);
    const summary = await readSummary(folder);
    if (!isServing(manifest))
      throw new RunFailure({
        code: 'bad_input',
        message: `run ${run} measured kernels, the other one served requests: they share no metric`,
        hint: 'Compare it with itself (its variants) or with another run of its target.',
      });
    return {
      manifest: { ...manifest, run: basename(folder) },
      summary: typeof summary === 'object' && summary !== null ? (summary as SummaryHead) : {},
      requests: await this.shelf.table(run, 'requests'),
    };
  }

  /** A run that measured kernels, and where its times are. */
  async kernelRun(run: string): Promise<ComparedKernels> {
    const { folder, manifest } = await this.shelf.find(run);
    if (!isKernels(manifest))
      throw new RunFailure({ code: 'bad_input', message: `run ${run} measured no kernels` });
    const summary = await readSummary(folder);
    return {
      manifest: { ...manifest, run: basename(folder) },
      summary: summary !== undefined && isKernelSummary(summary) ? summary : undefined,
      kernels: await this.shelf.table(run, 'kernels'),
      samples: await this.shelf.table(run, 'samples'),
    };
  }
}
