import { basename } from 'node:path';
import type { AnySpec } from '../../../workloads/kernels/kernelSpec.ts';
import type { Comparison } from '../../contract/protocol.ts';
import { withKind } from '../../shared/kinds/runKinds.ts';
import { RunFailure } from '../../shared/runFailure.ts';
import type { HeavyTasks } from '../heavyTasks.ts';
import type { ComparedSide } from '../kinds/hostKind.ts';
import { withHostPair } from '../kinds/hostKinds.ts';
import type { RunShelf } from '../runs/runShelf.ts';
import { type Manifest, summaryName } from '../store/manifest.ts';
import { type Entry, readSummary } from '../store/runIndex.ts';
import { requireWhole } from '../store/verifyFiles.ts';

const kept = 50;

type Found = Entry & { readonly folder: string };

/** Checks that the files a comparison reads of a finished bundle are unchanged since it was sealed. */
async function requireSealed({ folder, manifest }: { folder: string; manifest: Manifest }): Promise<void> {
  if (manifest.status === 'running') return;
  for (const file of [summaryName, 'requests.parquet', 'kernels.parquet', 'samples.parquet'])
    if (manifest.files[file] !== undefined) await requireWhole(folder, manifest, file);
}

/** Comparisons of two runs of one kind; those of finished runs are kept. */
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
    const made = await withHostPair(left.manifest.spec, right.manifest.spec, async (kind, a, b) =>
      kind.compare(this.tasks, await this.sideOf(left, a, baseline), await this.sideOf(right, b, optimized)),
    );
    if (made === undefined) throw unlike(left, right);
    if (isFinal) {
      this.made.set(key, made);
      for (const oldest of this.made.keys()) {
        if (this.made.size <= kept) break;
        this.made.delete(oldest);
      }
    }
    return made;
  }

  private async sideOf<Spec extends AnySpec>(
    { folder, manifest }: Found,
    spec: Spec,
    run: string,
  ): Promise<ComparedSide<Spec>> {
    return {
      manifest: { ...manifest, run: basename(folder), spec },
      summary: await readSummary(folder),
      table: (name) => this.shelf.table(run, name),
    };
  }
}

function unlike(left: Found, right: Found): RunFailure {
  const [a, b] = [left, right].map(({ folder, manifest }) => ({
    run: basename(folder),
    did: withKind(manifest.spec, ({ did }) => did),
  }));
  return new RunFailure({
    code: 'bad_input',
    message: `run ${a?.run} ${a?.did}, run ${b?.run} ${b?.did}: they share no metric`,
    hint: 'Compare two runs of one target, or a run that measured kernels with itself (its variants).',
  });
}
