import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Gpu, gpus } from '../../workloads/hardware/gpus.ts';
import { dataSheetCeilings } from '../../workloads/roofline/ceilings.ts';
import { mainPrecision, type RooflinePoint, totalWork } from '../../workloads/roofline/point.ts';
import { type Assessment, assess } from '../../workloads/roofline/roof.ts';
import { InputError } from '../../workloads/run/inputError.ts';
import { importReport } from '../host/captures/importReport.ts';
import { kernelRunRoofline } from '../host/captures/kernelRunRoofline.ts';
import { ceilingsOf, rooflinePoints } from '../host/captures/ncu/ncuReport.ts';
import { simulatedRoofline } from '../host/captures/simulatedPoints.ts';
import { measuredCeilingsIn } from '../host/machine/ceilingsFiles.ts';
import { isRunId, runsFolder } from '../host/store/runsFolder.ts';
import { captureFolder } from './captureFolder.ts';
import type { Terminal } from './terminal.ts';
import { textTable } from './textTable.ts';

/** Points of things that ran, under their roof: kernels of a capture, passes of a simulated run. */
interface AssessedPoint {
  readonly point: RooflinePoint;
  readonly assessment: Assessment | undefined;
}

/** `gpu`: the card whose data sheet is the roof; absent: the clocks that the capture saw, or the sheet of the card it names. */
export async function showCaptured(
  file: string,
  gpu: Gpu | undefined,
  isJson: boolean,
  terminal: Terminal,
): Promise<number> {
  const imported = await importReport(file, { cacheFolder: captureFolder('cache') });
  if (imported.kind !== 'ncu')
    throw new InputError(`${file}: a timeline has no counters; expected an ncu report (.ncu-rep or .csv)`);
  const { report } = imported;
  const observed = gpu === undefined ? ceilingsOf(report) : undefined;
  const hasRoof = observed !== undefined && Object.keys(observed.memory).length > 0;
  const sheet = gpu ?? (hasRoof ? undefined : gpuOfCard(report.card));
  const ceilings = sheet === undefined ? observed : dataSheetCeilings(sheet);
  const points = rooflinePoints(report).map((point) => ({
    point,
    assessment: ceilings === undefined ? undefined : assess(point, ceilings),
  }));
  if (isJson) {
    const { card, missing, notUnderstood, unknownUnits } = report;
    terminal.json({
      source: 'captured',
      file,
      read_by: imported.readBy,
      card,
      ceilings,
      points,
      missing,
      ...(notUnderstood === undefined ? {} : { not_understood: notUnderstood }),
      ...(unknownUnits.length === 0 ? {} : { unknown_units: unknownUnits }),
    });
    return 0;
  }
  terminal.print(
    [
      terminal.paint.bold(`${report.kernels.length} kernels on ${report.card ?? 'an unnamed card'}`),
      terminal.paint.faint(
        sheet !== undefined
          ? `captured by ncu; roof: data sheet of the ${sheet.label}`
          : hasRoof
            ? 'captured by ncu; ceilings at the clocks that it saw'
            : 'captured by ncu; it has no ceilings: --gpu CARD takes those of a data sheet',
      ),
      '',
      pointTable('kernel', points),
      ...report.missing.map((line) => `missing: ${line}`),
      ...(report.notUnderstood === undefined
        ? []
        : [`${report.notUnderstood} rows of the file were not understood`]),
      ...report.unknownUnits.map((metric) => `unit not known: ${metric}`),
      ...remarks(points),
    ].join('\n'),
  );
  return 0;
}

/** Where the bundle of a run lies. Throws InputError where there is none. */
export function bundleOf(run: string): string {
  const folder = isRunId(run) && !existsSync(run) ? join(runsFolder(), run) : run;
  if (!existsSync(join(folder, 'manifest.json'))) throw new InputError(`--run ${run}: no run bundle there`);
  return folder;
}

export async function showSimulated(
  folder: string,
  run: string,
  isJson: boolean,
  terminal: Terminal,
): Promise<number> {
  const { title, points } = await simulatedRoofline(folder);
  if (isJson) {
    terminal.json({ source: 'simulated', run, points });
    return 0;
  }
  terminal.print(
    [
      terminal.paint.bold(title),
      terminal.paint.faint(
        'simulated: work and bytes by formula, times by the cost model; per GPU, under the data sheet',
      ),
      '',
      pointTable('passes', points),
      ...remarks(points),
    ].join('\n'),
  );
  return 0;
}

export async function showKernelRun(
  folder: string,
  run: string,
  isJson: boolean,
  terminal: Terminal,
): Promise<number> {
  const measured = await measuredCeilingsIn(join(runsFolder(), '..', 'ceilings'));
  const { title, card, ceilings, points } = await kernelRunRoofline(folder, measured);
  if (isJson) {
    terminal.json({ source: 'measured', run, card, ceilings, points });
    return 0;
  }
  const basis = Object.values(ceilings.memory)[0]?.basis === 'measured' ? 'measured on it' : 'its data sheet';
  terminal.print(
    [
      terminal.paint.bold(`${title} on ${card}`),
      terminal.paint.faint(
        `measured: counted by CUPTI, each kernel alone; analytic: every operand once; roofs: ${basis}`,
      ),
      '',
      pointTable('kernel', points),
      ...remarks(points),
    ].join('\n'),
  );
  return 0;
}

const pointTable = (title: string, points: readonly AssessedPoint[]): string =>
  textTable(
    [
      { title },
      { title: 'time', align: 'right' },
      { title: 'work', align: 'right' },
      { title: 'HBM', align: 'right' },
      { title: 'FLOP/B', align: 'right' },
      { title: 'verdict' },
    ],
    points.map(({ point, assessment }) => [
      point.label.slice(0, 60),
      point.timeNs === undefined ? '–' : milliseconds(point.timeNs),
      workOf(point),
      point.bytes.hbm === undefined ? '–' : `${rate(point.bytes.hbm)}B`,
      intensityOf(point) === undefined ? '–' : short(intensityOf(point) ?? 0),
      assessment?.verdict ?? 'no ceiling applies',
    ]),
  );

/** FLOP per byte of HBM; undefined where one of both is unknown. */
const intensityOf = (point: RooflinePoint): number | undefined => {
  const work = totalWork(point);
  const bytes = point.bytes.hbm;
  return mainPrecision(point) === undefined || bytes === undefined || bytes === 0 ? undefined : work / bytes;
};

/** The card of the catalogue that a report names ("NVIDIA H200"); undefined where none or several fit. */
function gpuOfCard(card: string | undefined): Gpu | undefined {
  if (card === undefined) return undefined;
  const words = (text: string): string => text.toLowerCase().replace(/nvidia|geforce|[^a-z0-9]/g, '');
  const found = gpus.filter(({ label, id }) => words(card) === words(label) || words(card) === words(id));
  return found.length === 1 ? found[0] : undefined;
}

const remarks = (points: readonly AssessedPoint[]): string[] => [
  ...new Set(points.flatMap(({ point, assessment }) => [...point.notes, ...(assessment?.warnings ?? [])])),
];

const workOf = (point: RooflinePoint): string => {
  const precision = mainPrecision(point);
  return precision === undefined ? '–' : `${rate(totalWork(point))}FLOP ${precision}`;
};

export const rate = (value: number): string => {
  for (const [unit, size] of [
    ['P', 1e15],
    ['T', 1e12],
    ['G', 1e9],
    ['M', 1e6],
    ['k', 1e3],
  ] as const) {
    if (value >= size) return `${short(value / size)} ${unit}`;
  }
  return `${short(value)} `;
};
/** Three digits that matter. */
export const short = (value: number): string =>
  value >= 1000 ? Math.round(value).toLocaleString('en') : Number(value.toPrecision(3)).toString();
export const milliseconds = (ns: number): string => `${short(ns / 1e6)} ms`;
