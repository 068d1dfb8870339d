import { findTarget } from '../../workloads/catalog/catalog.ts';
import { hardwareKey } from '../../workloads/harness/expectations/expectations.ts';
import { InputError } from '../../workloads/run/inputError.ts';
import type { Summary } from '../../workloads/run/summary.ts';
import type { Comparison } from '../contract/protocol.ts';
import type { BenchOptions } from './benchOptions.ts';
import { expectationLines, heldToExpectations } from './expectations.ts';
import { servingFigures } from './expectedFigures.ts';
import { comparisonTable, summaryTable, windowLines } from './figures.ts';
import { checkInputOptions, inputCheckLines, inputChecksOf } from './inputChecks.ts';
import { modelNotes } from './modelNotes.ts';
import { recordOf } from './recordOptions.ts';
import { type Session, withSession } from './session.ts';
import { specsOf } from './specOptions.ts';
import type { Terminal } from './terminal.ts';
import { unfinished } from './unfinished.ts';

const abVariants = ['baseline', 'optimized'];

/** `dyno run` of a target, or of a saved spec (`targetId` undefined). */
export async function runTarget(
  targetId: string | undefined,
  options: BenchOptions,
  terminal: Terminal,
): Promise<number> {
  if (recordOf(options) !== undefined)
    throw new InputError(`--kernels and --counters: ${targetId ?? ''} launches no kernels of Dyno's`);
  const specs = specsOf(targetId, options, ['optimized'], terminal.note);
  const [spec] = specs;
  if (spec === undefined || specs.length !== 1)
    throw new InputError(`--variant ${options.variant ?? ''}: expected one variant; \`dyno bench\` runs two`);
  if (options.printSpec === true) {
    terminal.json(spec);
    return 0;
  }
  return withSession(options, async (session) => {
    const job = await session.runToEnd(`${spec.target}: ${spec.variant}`, [spec], options.pace);
    const id = job.runs[0]?.run;
    if (job.state !== 'done' || id === undefined) return unfinished(job, session, options, terminal);
    const summary = await summaryOf(session, id);
    const folder = session.host.folderOf(id);
    if (options.report !== undefined)
      await session.request('runs.report', { baseline: id, optimized: id, path: options.report });
    if (options.json === true)
      terminal.json({ run: id, ...(options.keep ? { folder } : {}), wall_s: job.elapsed_ms / 1000, summary });
    else {
      const { paint } = terminal;
      terminal.print(
        [
          `${paint.bold(spec.target)} · ${spec.variant} · engine ${spec.engine}${summary.simulated ? ' (simulated)' : ''} · ${summary.traffic.requests} requests · ${summary.traffic.name}`,
          '',
          summaryTable(spec.variant, summary),
          ...windowLines(spec.variant, summary),
          ...modelNotes([spec]),
        ].join('\n'),
      );
      terminal.note(options.keep ? `run: ${folder}` : 'the run bundle was not kept');
    }
    if (!options.keep) await session.request('runs.delete', { runs: [id] });
    return 0;
  });
}

/** `dyno bench` of a target: both variants on the same traffic, then the comparison. */
export async function benchTarget(
  targetId: string | undefined,
  options: BenchOptions,
  terminal: Terminal,
): Promise<number> {
  if (recordOf(options) !== undefined)
    throw new InputError(`--kernels and --counters: ${targetId ?? ''} launches no kernels of Dyno's`);
  if (options.spec !== undefined)
    throw new InputError('bench runs two variants of a target: use `dyno run --spec`');
  const specs = specsOf(targetId, options, abVariants, terminal.note);
  const [first, second] = specs;
  if (first === undefined || second === undefined || specs.length !== 2)
    throw new InputError(`--variant ${options.variant ?? ''}: expected two variants joined by a comma`);
  if (options.printSpec === true) {
    terminal.json(specs);
    return 0;
  }
  checkInputOptions(options.checkInputs, options.engine);
  const begin = performance.now();
  return withSession(options, async (session) => {
    const job = await session.runToEnd(
      `${first.target}: ${first.variant} and ${second.variant}`,
      specs,
      options.pace,
    );
    const ids = job.runs.map(({ run }) => run);
    const [a, b] = ids;
    if (job.state !== 'done' || a === undefined || b === undefined)
      return unfinished(job, session, options, terminal);
    const comparison = await session.request('runs.compare', { baseline: a, optimized: b });
    const summaries = [await summaryOf(session, a), await summaryOf(session, b)] as const;
    if (options.report !== undefined)
      await session.request('runs.report', { baseline: a, optimized: b, path: options.report });
    const names = [first.variant, second.variant] as const;
    const hardware = first.engine === 'sim' ? 'sim' : await cardOf(session, a);
    const figures = servingFigures(names, summaries, comparison, findTarget(first.target)?.claims ?? []);
    const { target } = first;
    const held = await heldToExpectations({ hardware, target, variants: names, specs, figures }, options);
    const inputs =
      options.checkInputs === true ? await inputChecksOf(session, specs, summaries, summaryOf) : undefined;
    const wall = (performance.now() - begin) / 1000;
    if (options.json === true)
      terminal.json({
        ...document(summaries, names, comparison, wall, session, ids, options),
        expectations: held,
        ...(inputs === undefined ? {} : { inputs }),
      });
    else {
      tell(terminal, summaries, names, comparison, wall, [
        ...modelNotes(specs).map((note) => `note: ${note}`),
        ...expectationLines(held, options, terminal.paint),
        ...inputCheckLines(inputs ?? []),
      ]);
      terminal.note(
        options.keep
          ? `runs: ${ids.map((id) => session.host.folderOf(id)).join('\n      ')}`
          : 'the run bundles were not kept',
      );
      if (options.report !== undefined) terminal.note(`report: ${options.report}`);
    }
    if (!options.keep) await session.request('runs.delete', { runs: ids });
    const isFailed =
      comparison.verification.status === 'failed' ||
      held.fails ||
      inputs?.some(({ status }) => status === 'failed') === true;
    return isFailed ? 1 : 0;
  });
}

/** `nvidia-h200`, `8x-nvidia-h200`: the cards of the machine that ran it; undefined where it is not known. */
async function cardOf(session: Session, run: string): Promise<string | undefined> {
  const { hardware, spec } = await session.host.manifestOf(run);
  const cards = spec.engine === 'cuda' ? (hardware?.gpus ?? []) : [];
  const [first] = cards;
  if (first === undefined) return undefined;
  return hardwareKey(`${cards.length > 1 ? `${cards.length}x ` : ''}${first.name}`);
}

export async function summaryOf(session: Session, run: string): Promise<Summary> {
  const { summary } = await session.request('runs.open', { run });
  if (typeof summary !== 'object' || summary === null)
    throw new InputError(`run ${run} has no summary: it ended before anything was measured`);
  return summary as Summary;
}

function document(
  summaries: readonly [Summary, Summary],
  names: readonly [string, string],
  comparison: Comparison,
  wall: number,
  session: Session,
  ids: readonly string[],
  options: BenchOptions,
) {
  const [summary] = summaries;
  return {
    target: summary.target,
    engine: summary.engine,
    simulated: summary.simulated,
    seed: summary.seed,
    iterations: summary.iterations,
    traffic: summary.traffic,
    variants: Object.fromEntries(
      summaries.map(({ schema: _, target: _t, variant: _v, engine: _e, traffic: _r, ...rest }, i) => [
        names[i],
        rest,
      ]),
    ),
    comparison: comparison.rows,
    verdict: comparison.verdict,
    method: comparison.method,
    verification: comparison.verification,
    warnings: comparison.warnings,
    runs: options.keep ? ids.map((run) => ({ run, folder: session.host.folderOf(run) })) : [],
    ...(options.report === undefined ? {} : { report: options.report }),
    wall_s: Math.round(wall * 1000) / 1000,
  };
}

function tell(
  terminal: Terminal,
  summaries: readonly [Summary, Summary],
  names: readonly [string, string],
  comparison: Comparison,
  wall: number,
  remarks: readonly string[],
): void {
  const { paint } = terminal;
  const [summary] = summaries;
  const { traffic } = summary;
  const lines = [
    `${paint.bold(summary.target)} · engine ${summary.engine}${summary.simulated ? ' (simulated)' : ''} · ${traffic.requests} requests over ${traffic.duration_s.toFixed(0)} s · ${traffic.name}`,
    '',
    comparisonTable(names, summaries, comparison, paint),
    '',
    paint.bold(comparison.verdict),
    ...names.flatMap((name, i) => windowLines(name, summaries[i === 0 ? 0 : 1])),
    `verification: ${comparison.verification.status} (${comparison.verification.method})`,
    ...(comparison.verification.detail === undefined ? [] : [`  ${comparison.verification.detail}`]),
    ...comparison.warnings.map((warning) => `note: ${warning}`),
    ...remarks,
    paint.faint(comparison.method),
    paint.faint(`${wall.toFixed(1)} s`),
  ];
  terminal.print(lines.join('\n'));
}
