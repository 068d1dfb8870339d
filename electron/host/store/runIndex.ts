import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { type KernelSummary, kernelVerdict } from '../../../workloads/kernels/kernelSummary.ts';
import type { OverloadSummary, WindowSummary } from '../../../workloads/run/summary.ts';
import type { RunInfo } from '../../contract/protocol.ts';
import { fileReason } from '../../shared/openFile.ts';
import { writerOf } from './bundleLock.ts';
import { type Manifest, ManifestError, manifestName, parseManifest, summaryName } from './manifest.ts';

/** The parts of a summary that lists and headlines need; a rebuilt one may lack any of them. */
export interface SummaryHead {
  readonly traffic?: { readonly requests?: number };
  readonly metrics?: Readonly<Record<string, { readonly p50?: number; readonly p95?: number } | undefined>>;
  readonly requests?: Readonly<Record<string, number | undefined>>;
  readonly goodput_rps?: number;
  readonly quality?: { readonly adequate_share?: number };
  readonly window?: WindowSummary;
  readonly overload?: OverloadSummary;
  readonly fleet?: { readonly good_per_gpu_hour?: number };
  readonly kind?: string;
}

export interface Entry {
  readonly info: RunInfo;
  readonly manifest: Manifest;
}

interface Known {
  readonly stamp: string;
  readonly entry: Entry | { readonly reason: string };
}

export interface RunListing {
  readonly runs: readonly Entry[];
  readonly unreadable: readonly { readonly folder: string; readonly reason: string }[];
}

/** The history: every bundle folder, read again only when its manifest changed. There is no other database. */
export class RunIndex {
  private readonly runs: string;
  private readonly known = new Map<string, Known>();

  constructor(runs: string) {
    this.runs = runs;
  }

  /** The latest first. */
  async list(): Promise<RunListing> {
    let names: string[];
    try {
      const found = await readdir(this.runs, { withFileTypes: true });
      names = found
        .filter((entry) => !entry.isFile() && !entry.name.startsWith('.'))
        .map((entry) => entry.name);
    } catch (thrown) {
      if (thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT')
        return { runs: [], unreadable: [] };
      return { runs: [], unreadable: [{ folder: this.runs, reason: fileReason(thrown) }] };
    }
    for (const name of this.known.keys()) if (!names.includes(name)) this.known.delete(name);
    const runs: Entry[] = [];
    const unreadable: { folder: string; reason: string }[] = [];
    for (let start = 0; start < names.length; start += 16) {
      const entries = await Promise.all(names.slice(start, start + 16).map((name) => this.entry(name)));
      entries.forEach((entry, i) => {
        if ('reason' in entry)
          unreadable.push({ folder: join(this.runs, names[start + i] ?? ''), reason: entry.reason });
        else runs.push(entry);
      });
    }
    runs.sort((a, b) => (a.info.started < b.info.started ? 1 : a.info.started > b.info.started ? -1 : 0));
    return { runs, unreadable };
  }

  async entry(name: string): Promise<Entry | { readonly reason: string }> {
    const folder = join(this.runs, name);
    let stamp: string;
    try {
      const { mtimeMs, size } = await stat(join(folder, manifestName));
      stamp = `${mtimeMs}/${size}`;
    } catch (thrown) {
      const reason = fileReason(thrown);
      return { reason: reason === 'no such file' ? `no ${manifestName}: not a run bundle` : reason };
    }
    const before = this.known.get(name);
    if (before?.stamp === stamp && !isRunning(before.entry)) return before.entry;
    const entry = await readEntry(folder);
    this.known.set(name, { stamp, entry });
    return entry;
  }
}

const isRunning = (entry: Known['entry']): boolean =>
  'manifest' in entry && entry.manifest.status === 'running';

export async function readEntry(folder: string): Promise<Entry | { readonly reason: string }> {
  let manifest: Manifest;
  try {
    manifest = parseManifest(await readFile(join(folder, manifestName), 'utf8'));
  } catch (thrown) {
    return { reason: thrown instanceof ManifestError ? thrown.message : fileReason(thrown) };
  }
  return { manifest, info: infoOf(folder, manifest, (await readSummary(folder)) ?? {}) };
}

/** summary.json; undefined where there is none: a run in progress has none, an interrupted one may lack it. */
export async function readSummary(folder: string): Promise<object | undefined> {
  try {
    const document: unknown = JSON.parse(await readFile(join(folder, summaryName), 'utf8'));
    return typeof document === 'object' && document !== null ? document : undefined;
  } catch {
    return undefined;
  }
}

export function infoOf(folder: string, manifest: Manifest, summary: SummaryHead): RunInfo {
  const { ttft_ms: ttft, tpot_ms: tpot } = summary.metrics ?? {};
  const isDead = manifest.status === 'running' && writerOf(folder) === undefined;
  const files = Object.values(manifest.files);
  const requests = summary.traffic?.requests ?? summary.requests?.['arrived'];
  const { goodput_rps: goodput } = summary;
  const rejected = summary.requests?.['rejected'];
  const kernel = kernelHead(summary);
  return {
    run: basename(folder),
    group: manifest.group,
    target: manifest.spec.target,
    title: manifest.title,
    variant: manifest.spec.variant,
    engine: manifest.spec.engine,
    status: isDead ? 'interrupted' : manifest.status,
    started: manifest.started,
    ...(manifest.wall_s === undefined ? {} : { wall_s: manifest.wall_s }),
    ...(requests === undefined ? {} : { requests }),
    headline: {
      ...(ttft?.p50 === undefined ? {} : { ttft_p50_ms: ttft.p50 }),
      ...(ttft?.p95 === undefined ? {} : { ttft_p95_ms: ttft.p95 }),
      ...(tpot?.p50 === undefined ? {} : { tpot_p50_ms: tpot.p50 }),
      ...(goodput === undefined ? {} : { goodput_rps: goodput }),
      ...(rejected === undefined ? {} : { rejected }),
    },
    ...(kernel === undefined ? {} : { kernel }),
    tags: manifest.tags,
    note: manifest.note,
    folder,
    bytes: files.reduce((sum, file) => sum + file.bytes, 0),
  };
}

/** summary.json of a run that measured kernels. */
export const isKernelSummary = (summary: object): summary is KernelSummary =>
  'kind' in summary && summary.kind === 'kernel' && 'variants' in summary && 'verification' in summary;

function kernelHead(summary: object): RunInfo['kernel'] {
  if (!isKernelSummary(summary)) return undefined;
  const { device, iterations, variants, ratio, verification } = summary;
  return {
    device: device.name,
    iterations,
    variants: Object.entries(variants).map(([id, { iteration_ms }]) => ({
      id,
      median_ms: iteration_ms.median,
    })),
    ...(ratio === undefined ? {} : { ratio: ratio.ratio }),
    ...(ratio?.ci95 === undefined ? {} : { ci95: [ratio.ci95[0], ratio.ci95[1]] }),
    verification: verification.status,
    verdict: kernelVerdict(summary),
  };
}
