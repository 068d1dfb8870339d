import { createWriteStream } from 'node:fs';
import { rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { finished } from 'node:stream/promises';
import type { CaptureContents, TimelineSlice } from '../../../contract/captures.ts';
import { withHostKind } from '../../kinds/hostKinds.ts';
import { readManifest } from '../../store/manifest.ts';
import { CaptureError } from '../captureError.ts';
import { type ImportedReport, importReport } from '../importReport.ts';
import { ceilingsOf, rooflinePoints } from '../ncu/ncuReport.ts';
import { deviceActivity } from '../nsys/activity.ts';
import { compareKernels } from '../nsys/compareCaptures.ts';
import { findEvent } from '../nsys/findEvent.ts';
import { linkedEvents } from '../nsys/linkedEvents.ts';
import type { NsysReport } from '../nsys/nsysReport.ts';
import { tablesWithin } from '../nsys/tablesWithin.ts';
import { timelineBlocks } from '../nsys/timelineBlocks.ts';
import { type TimelineRow, timelineRows } from '../nsys/timelineRows.ts';
import { writeCaptureTrace } from '../trace/captureTrace.ts';
import type { ReportFile, ReportTasks } from './reportTasks.ts';

type Imported = ImportedReport & { readonly lanes: readonly TimelineRow[] };

/** Reports that stay in memory: two sides of a comparison, and the ones before. */
const kept = 4;
/** A comparison shows no more rows than these. */
const longestTable = 500;
const mostLanes = 64;

const reports = new Map<string, Promise<Imported>>();

async function imported({ file, cacheFolder }: ReportFile): Promise<Imported> {
  const found = await stat(file).catch(() => undefined);
  const key = `${file}\n${found?.size}\n${found?.mtimeMs}`;
  const known = reports.get(key);
  if (known !== undefined) return known;
  const fresh = importReport(file, { cacheFolder }).then((report) => ({
    ...report,
    lanes: report.kind === 'nsys' ? timelineRows(report.report).slice(0, mostLanes) : [],
  }));
  reports.set(key, fresh);
  for (const oldest of reports.keys()) {
    if (reports.size <= kept) break;
    reports.delete(oldest);
  }
  fresh.catch(() => reports.delete(key));
  return fresh;
}

async function timelineOf(
  report: ReportFile,
): Promise<{ report: NsysReport; lanes: readonly TimelineRow[] }> {
  const found = await imported(report);
  if (found.kind === 'nsys') return { report: found.report, lanes: found.lanes };
  throw new CaptureError('bad_input', `${report.file}: a report of ncu holds counters and no timeline`, {
    hint: 'capture the same run with Nsight Systems',
  });
}

function contentsOf(found: Imported): CaptureContents {
  if (found.kind === 'ncu') {
    const { report, file, readBy } = found;
    const ceilings = ceilingsOf(report);
    return {
      kind: 'ncu',
      file,
      readBy,
      points: rooflinePoints(report),
      missing: report.missing,
      ...(report.card === undefined ? {} : { card: report.card }),
      ...(ceilings === undefined ? {} : { ceilings }),
    };
  }
  const { report, file, lanes } = found;
  let startNs = Number.POSITIVE_INFINITY;
  let endNs = Number.NEGATIVE_INFINITY;
  for (const lane of lanes) {
    startNs = Math.min(startNs, lane.startNs[0] ?? startNs);
    for (const end of lane.endNs) if (end > endNs) endNs = end;
  }
  return {
    kind: 'nsys',
    file,
    tool: `${report.tool.name} ${report.tool.version}`.trim(),
    gpus: report.gpus.map((gpu) => gpu.name),
    startNs: Number.isFinite(startNs) ? startNs : 0,
    endNs: Number.isFinite(endNs) ? endNs : 0,
    rows: lanes.map(({ id, label, kind, startNs: starts }) => ({ id, label, kind, events: starts.length })),
    activity: deviceActivity(report).map(({ bubbles: [longest], ...rest }) => ({
      ...rest,
      ...(longest === undefined ? {} : { longestIdleNs: longest.endNs - longest.startNs }),
    })),
    tables: tablesWithin(report, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY),
    missing: report.missing,
    diagnostics: report.diagnostics,
  };
}

async function slice(question: ReportTasks['timeline']['question']): Promise<TimelineSlice> {
  const { report, lanes } = await timelineOf(question);
  const values: number[] = [];
  const names: string[] = [];
  const indexOf = new Map<number, number>();
  const nameIndex = (name: number): number => {
    const text = report.names[name];
    if (text === undefined) return -1;
    const known = indexOf.get(name) ?? names.length;
    if (known === names.length) {
      names.push(text);
      indexOf.set(name, known);
    }
    return known;
  };
  lanes.forEach((lane, row) => {
    for (const block of timelineBlocks(lane, question.fromNs, question.toNs, question.width))
      values.push(row, block.startNs, block.endNs, nameIndex(block.name), block.events);
  });
  return { blocks: Float64Array.from(values), names };
}

async function links({ lane, startNs, endNs, ...file }: ReportTasks['links']['question']) {
  const { report, lanes } = await timelineOf(file);
  const found = linkedEvents(report, lanes, lane, startNs, endNs);
  if (found !== undefined) return found;
  throw new CaptureError(
    'bad_input',
    `${file.file}: lane ${lane} has no event from ${startNs} to ${endNs} ns`,
  );
}

async function writeTrace({ path, ...file }: ReportTasks['trace']['question']) {
  const { report } = await timelineOf(file);
  const partial = join(dirname(path), `.${basename(path)}.tmp`);
  const out = createWriteStream(partial);
  try {
    await writeCaptureTrace(out, report, file.file);
    out.end();
    await finished(out);
    await rename(partial, path);
    return { bytes: (await stat(path)).size };
  } finally {
    out.destroy();
    await rm(partial, { force: true });
  }
}

export const answers: {
  readonly [T in keyof ReportTasks]: (
    question: ReportTasks[T]['question'],
  ) => Promise<ReportTasks[T]['result']>;
} = {
  read: async (file) => contentsOf(await imported(file)),
  timeline: slice,
  tables: async ({ fromNs, toNs, ...file }) => tablesWithin((await timelineOf(file)).report, fromNs, toNs),
  links,
  find: async ({ text, fromNs, direction, ...file }) => {
    const { report, lanes } = await timelineOf(file);
    return findEvent(report, lanes, text, fromNs, direction);
  },
  compare: async ({ baseline, optimized }) =>
    compareKernels((await timelineOf(baseline)).report, (await timelineOf(optimized)).report).slice(
      0,
      longestTable,
    ),
  trace: writeTrace,
  runPoints: async ({ folder, measured }) =>
    withHostKind((await readManifest(folder)).spec, (kind) => kind.points(folder, measured)),
};
