import { z } from 'zod';
import { type HostMethod, job, runInfo } from './protocol.ts';
import { sweepInfo } from './sweeps.ts';

/**
 * The shape of each result, as the window checks it before a view sees it. Numbers may be NaN or infinite, since a ratio may
 * have no denominator; long columns are checked as columns, not value by value.
 */
const figure = z.custom<number>((value) => typeof value === 'number', 'expected a number');
const nothing = z.looseObject({});
const written = z.looseObject({ path: z.string(), bytes: figure });
const floats = z.instanceof(Float64Array);
const page = z.looseObject({
  columns: z.array(
    z.looseObject({ name: z.string(), type: z.string(), unit: z.string(), values: z.array(z.unknown()) }),
  ),
  rows: figure,
  total: figure,
});
const listed = z.array(z.looseObject({}));

const capture = z.looseObject({ capture: z.string() });

/** Every method: the compiler refuses one that is missing here. */
const machineSettings = z.looseObject({ file: z.string(), runs_folder_now: z.string() });

const results: Readonly<Record<HostMethod, z.ZodType>> = {
  'machine.topology': z.looseObject({ gpus: listed }),
  'machine.watch': nothing,
  'files.open': z.looseObject({ kind: z.string() }),
  'servers.probe': z.looseObject({
    name: z.string(),
    url: z.string(),
    reachable: z.boolean(),
    models: z.array(z.string()),
    capabilities: z.array(
      z.looseObject({ id: z.string(), label: z.string(), state: z.string(), found: z.string() }),
    ),
  }),
  'jobs.cancel': nothing,
  'live.watch': nothing,
  'live.ack': nothing,
  'runs.annotate': nothing,
  'runs.delete': nothing,
  'runs.restore': nothing,
  'runs.roofline': z.looseObject({
    title: z.string(),
    points: z.array(z.looseObject({ point: z.looseObject({ id: z.string(), label: z.string() }) })),
  }),
  'roofline.ceilings': z.looseObject({ cards: z.array(z.looseObject({ name: z.string() })) }),
  'captures.preview': z.looseObject({ command: z.string() }),
  'captures.startPart': z.looseObject({ capture: z.string(), interval: z.string() }),
  'captures.openRun': capture,
  'captures.showInNsight': nothing,
  'captures.cancel': nothing,
  'captures.retry': capture,
  'captures.remove': nothing,
  'captures.read': z.looseObject({ kind: z.enum(['nsys', 'ncu']) }),
  'captures.timeline': z.looseObject({ blocks: floats, names: z.array(z.string()) }),
  'captures.tables': z.looseObject({ kernels: listed, ranges: listed, copies: listed, gaps: listed }),
  'captures.links': z.looseObject({ chosen: z.looseObject({ lane: figure }), linked: listed }),
  'captures.find': z.looseObject({ total: figure }),
  'sweeps.resume': z.looseObject({ sweep: z.string() }),
  'sweeps.cancel': nothing,
  'sweeps.read': z.looseObject({
    info: sweepInfo,
    spec: z.looseObject({}),
    points: z.array(z.looseObject({ index: figure })),
    front: z.array(figure),
  }),
  'sweeps.delete': nothing,
  'queue.run': z.looseObject({ points: listed }),
  'machine.describe': z.looseObject({
    gpus: listed,
    cpu: z.string(),
    cores: figure,
    runs_folder: z.string(),
  }),
  'settings.read': machineSettings,
  'settings.write': machineSettings,
  'doctor.check': z.looseObject({
    checks: z.array(
      z.looseObject({ id: z.string(), title: z.string(), state: z.string(), found: z.string() }),
    ),
  }),
  'traffic.preview': z.looseObject({
    requests: figure,
    duration_s: figure,
    arrivals_rps: z.array(figure),
    prompt_quantiles: z.array(figure),
    output_quantiles: z.array(figure),
  }),
  'runs.start': z.looseObject({ job: z.string(), runs: z.array(z.string()) }),
  'jobs.list': z.looseObject({ jobs: z.array(job) }),
  'runs.list': z.looseObject({
    revision: z.string(),
    isWhole: z.boolean(),
    runs: z.array(runInfo),
    removed: z.array(z.string()),
    unreadable: z.array(z.looseObject({ folder: z.string(), reason: z.string() })),
  }),
  'runs.open': z.looseObject({
    info: runInfo,
    manifest: z.looseObject({ spec: z.looseObject({ target: z.string(), variant: z.string() }) }),
    summary: z.looseObject({}).optional(),
    damage: z.array(z.string()),
  }),
  'runs.series': z.looseObject({
    series: z.array(z.looseObject({ source: z.string(), metric: z.string(), points: floats })),
  }),
  'runs.sources': z.looseObject({
    sources: z.array(z.looseObject({ source: z.string(), metric: z.string(), n: figure })),
  }),
  'runs.cdf': z.looseObject({ values: floats, n: figure }),
  'runs.rows': page,
  'runs.decisions': page,
  'runs.compare': z.looseObject({
    verdict: z.string(),
    rows: z.array(z.looseObject({ metric: z.string(), baseline: figure, optimized: figure, ratio: figure })),
    differences: listed,
    warnings: z.array(z.string()),
  }),
  'runs.export': written,
  'runs.report': written,
  'captures.export': written,
  'captures.list': z.looseObject({ captures: listed }),
  'captures.tools': z.looseObject({ tools: listed }),
  'captures.start': capture,
  'captures.open': capture,
  'captures.compare': z.looseObject({ kernels: listed }),
  'sweeps.start': z.looseObject({ sweep: z.string() }),
  'sweeps.list': z.looseObject({ sweeps: z.array(sweepInfo) }),
};

/** Describes a malformed result; undefined if it has the shape that its method promises. */
export function problemOfResult(method: HostMethod, result: unknown): string | undefined {
  const parsed = results[method].safeParse(result);
  const issue = parsed.error?.issues[0];
  return issue === undefined ? undefined : `${issue.path.join('.') || 'it'}: ${issue.message}`;
}
