import { models as builtIn } from '../../../workloads/model/models.ts';
import { weightFormatOf } from '../../../workloads/model/products.ts';
import {
  activeParameters,
  kvBytesPerToken,
  kvLayers,
  type ModelShape,
  parameterCount,
  weightBytes,
} from '../../../workloads/model/shape.ts';
import { kvBytesAt } from '../../../workloads/model/windowed.ts';
import { modelNamed } from '../../shared/modelFile.ts';
import { didYouMean } from '../closest.ts';
import type { CommandLineCommand } from '../commandLine.ts';
import { integer } from '../options.ts';
import type { Terminal } from '../terminal.ts';
import { textTable } from '../textTable.ts';

interface ModelsOptions {
  readonly context: number;
  readonly json?: boolean;
}

/** Shapes of models: those built in, or what Dyno makes of a config.json. */
export const models: CommandLineCommand = {
  name: 'models',
  register(program, terminal, run) {
    program
      .command('models [model]')
      .description(
        'the built-in models with their sources; or one of them, a config.json or its folder, in full',
      )
      .option(
        '--context <tokens>',
        'context for the KV memory of one sequence',
        integer(1, 1_000_000_000),
        32_768,
      )
      .option('--json', 'print one JSON document')
      .action((model: string | undefined, options: ModelsOptions) =>
        run(() => Promise.resolve(show(model, options, terminal))),
      );
  },
};

function show(model: string | undefined, { context, json }: ModelsOptions, terminal: Terminal): number {
  const shapes =
    model === undefined ? builtIn : [modelNamed(model, 'models', (ids) => didYouMean(model, ids))];
  if (json === true) {
    const described = shapes.map((shape) => ({
      ...shape,
      attention: attentionOf(shape),
      parameters: parameterCount(shape),
      active_parameters: activeParameters(shape),
      weight_bytes: weightBytes(shape),
      kv_bytes_per_token: kvBytesPerToken(shape),
      context,
      kv_bytes_at_context: kvBytesAt(shape, context),
    }));
    terminal.json(model === undefined ? { models: described } : described[0]);
    return 0;
  }
  if (model !== undefined && shapes[0] !== undefined) {
    terminal.print(details(shapes[0], context));
    return 0;
  }
  terminal.print(
    [
      textTable(
        [
          { title: 'model' },
          { title: 'parameters', align: 'right' },
          { title: 'active', align: 'right' },
          { title: 'weights', align: 'right' },
          { title: 'KV per token', align: 'right' },
          { title: `KV at ${context}`, align: 'right' },
          { title: 'attention' },
          { title: 'source' },
        ],
        shapes.map((shape) => [
          shape.id,
          billions(parameterCount(shape)),
          billions(activeParameters(shape)),
          gigabytes(weightBytes(shape)),
          `${kvBytesPerToken(shape)} B`,
          gigabytes(kvBytesAt(shape, context)),
          attentionOf(shape),
          shape.source,
        ]),
      ),
      ...shapes.flatMap(({ id, unmodelled }) => (unmodelled === undefined ? [] : [`${id}: ${unmodelled}`])),
    ].join('\n'),
  );
  return 0;
}

const billions = (value: number): string => `${(value / 1e9).toFixed(value < 1e10 ? 2 : 1)} B`;
const gigabytes = (value: number): string => `${(value / 1e9).toFixed(2)} GB`;

/** `GQA 32/8`, `MLA, 512 + 64 per token`, with what layers see where that differs. */
export function attentionOf(m: ModelShape): string {
  const kind =
    m.latent !== undefined
      ? `MLA, ${m.latent.kvRank} + ${m.latent.ropeDim} values per token`
      : m.kvHeads === m.heads
        ? `MHA, ${m.heads} heads`
        : `GQA, ${m.heads} query and ${m.kvHeads} KV heads`;
  const window =
    m.windows === undefined
      ? ''
      : `; ${m.windows.layers} of ${kvLayers(m)} layers see ${m.windows.tokens} tokens`;
  const linear = m.linear === undefined ? '' : `; ${m.linear.layers} of ${m.layers} layers are linear`;
  return kind + window + linear;
}

function details(m: ModelShape, context: number): string {
  const { experts } = m;
  const rows: [string, string][] = [
    ['id', m.id],
    ['source', m.source],
    ['layers', String(m.layers)],
    ['hidden size', String(m.hidden)],
    ['attention', `${attentionOf(m)}, heads of ${m.headDim}`],
    [
      'MLP',
      experts === undefined
        ? `dense, ${m.intermediate} wide`
        : `${experts.count} experts of ${experts.intermediate}, ${experts.perToken} per token${
            experts.sharedIntermediate > 0 ? `, shared expert of ${experts.sharedIntermediate}` : ''
          }${experts.denseLayers > 0 ? `; ${experts.denseLayers} dense layers of ${m.intermediate}` : ''}`,
    ],
    ['vocabulary', `${m.vocabulary}${m.tiedEmbeddings ? ', tied embeddings' : ''}`],
    [
      'precision',
      `${weightFormatOf(m)}, ${m.bytesPerWeight} B per weight, ${m.bytesPerKvValue} B per KV value`,
    ],
    [
      'parameters',
      `${parameterCount(m)} (${billions(parameterCount(m))}), ${billions(activeParameters(m))} active`,
    ],
    ['weights', gigabytes(weightBytes(m))],
    ['KV per token', `${kvBytesPerToken(m)} B`],
    [`KV of ${context} tokens`, gigabytes(kvBytesAt(m, context))],
    ...(m.maxContext === undefined
      ? []
      : [['longest context', String(m.maxContext)] satisfies [string, string]]),
    ...(m.unmodelled === undefined ? [] : [['not modelled', m.unmodelled] satisfies [string, string]]),
  ];
  return textTable([{ title: m.label }, { title: '' }], rows);
}
