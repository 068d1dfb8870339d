import { catalog, findTarget } from '../../../workloads/catalog/catalog.ts';
import { engineFits, enginesOf } from '../../../workloads/catalog/enginesOf.ts';
import { kernelTargets } from '../../../workloads/catalog/kernelTargets.ts';
import { claimsOf, commandOf } from '../../../workloads/catalog/lessonClaims.ts';
import { namesOf } from '../../../workloads/catalog/publishedNames.ts';
import { expectation } from '../../../workloads/catalog/values.ts';
import { formatMetric } from '../../../workloads/metrics/format.ts';
import { metricLabel } from '../../../workloads/metrics/registry.ts';
import { capabilities } from '../../../workloads/run/capability.ts';
import type { EngineId } from '../../../workloads/run/spec.ts';
import type { CommandLineCommand } from '../commandLine.ts';
import type { ListedTarget } from '../kinds/cliKind.ts';
import { commandsOf } from '../kinds/cliKinds.ts';
import { oneOf } from '../options.ts';
import type { Terminal } from '../terminal.ts';
import { textTable } from '../textTable.ts';

const chapters = [...new Set([...catalog, ...kernelTargets].map(({ chapter }) => chapter))];

export const list: CommandLineCommand = {
  name: 'list',
  register(program, terminal, run) {
    program
      .command('list [target]')
      .description('the catalogue; with a target, its variants and parameters')
      .option('--chapter <name>', `only the targets of ${chapters.join(', ')}`, oneOf(...chapters))
      .option('--engine <engine>', 'only the targets that run there', oneOf('sim', 'cuda', 'http'))
      .option('--json', 'print one JSON document')
      .action((target: string | undefined, options: ListOptions) =>
        run(() =>
          Promise.resolve(
            target === undefined ? listAll(options, terminal) : listOne(target, options, terminal),
          ),
        ),
      );
  },
};

/** Made when asked for: which engines a target fits takes the specs of all its variants. */
const allListed = (): readonly ListedTarget[] => [
  ...catalog.map((target) => ({ ...target, engines: enginesOf(target) })),
  ...kernelTargets,
];

interface ListOptions {
  readonly json?: boolean;
  readonly chapter?: string;
  readonly engine?: EngineId;
}

function listAll({ json, chapter, engine }: ListOptions, terminal: Terminal): number {
  const listed = allListed().filter(
    (target) =>
      (chapter === undefined || target.chapter === chapter) &&
      (engine === undefined || target.engines.includes(engine)),
  );
  if (json === true) terminal.json({ targets: listed.map(described) });
  else {
    terminal.print(
      textTable(
        [{ title: 'target' }, { title: 'engines' }, { title: 'variants' }, { title: 'what it shows' }],
        listed.map(({ id, engines, variants, title }) => [
          id,
          engines.join(', '),
          variants.map((variant) => variant.id).join(', '),
          title,
        ]),
      ),
    );
    const also = listed.flatMap(({ id }) => namesOf(id).map((name) => `  ${name} → ${id}`));
    if (also.length > 0) terminal.print(['', 'also known as:', ...also].join('\n'));
  }
  return 0;
}

function listOne(id: string, { json }: { readonly json?: boolean }, terminal: Terminal): number {
  const target = commandsOf(id).target();
  if (json === true) {
    const claims = claimsOf(target.id).map((claim) => ({ ...claim, command: commandOf(claim) }));
    terminal.json({ ...described(target), lesson: target.lesson, claims });
    return 0;
  }
  const { paint } = terminal;
  terminal.print(
    [
      `${paint.bold(target.id)} · ${target.title}`,
      target.summary,
      ...(namesOf(target.id).length === 0 ? [] : [`also known as: ${namesOf(target.id).join(', ')}`]),
      '',
      textTable(
        [{ title: 'variant' }, { title: 'what it does' }],
        target.variants.map(({ id: variant, description }) => [variant, description]),
      ),
      '',
      ...enginesLines(target),
      '',
      textTable(
        [
          { title: 'parameter (--set)' },
          { title: 'default', align: 'right' },
          { title: 'takes' },
          { title: 'what it is' },
        ],
        target.parameters.map((parameter) => [
          parameter.id,
          String(parameter.default),
          expectation(parameter),
          parameter.help,
        ]),
      ),
      ...recreateLines(target.id),
    ].join('\n'),
  );
  return 0;
}

/** The figures of the lesson, each with the command that gives it. */
function recreateLines(target: string): string[] {
  const claims = claimsOf(target);
  if (claims.length === 0) return [];
  return [
    '',
    'figures of the lesson, and what recreates them:',
    ...claims.map(
      (claim) =>
        `  ${metricLabel(claim.figure)} ${formatMetric(claim.figure, claim.value)}: ${commandOf(claim)}`,
    ),
  ];
}

/** On which engine each variant runs, and what the others lack. */
function enginesLines(listedOne: ListedTarget): string[] {
  const target = findTarget(listedOne.id);
  if (target === undefined) return [`engines: ${listedOne.engines.join(', ')}`];
  return engineFits(target).map(({ engine, variants, refused }) => {
    const all = refused.length === 0 ? 'every variant' : variants.join(', ') || 'no variant';
    const reasons = refused.map(({ variant, missing }) => `${variant} needs ${capabilities[missing]}`);
    return `engine ${engine}: ${[all, ...reasons].join('; ')}`;
  });
}

const described = ({ id, chapter, title, summary, engines, variants, parameters }: ListedTarget) => ({
  id,
  ...(namesOf(id).length === 0 ? {} : { aliases: namesOf(id) }),
  chapter,
  title,
  summary,
  engines,
  variants,
  parameters,
});
