import { findModel } from '../model/models.ts';
import type { CostSpec } from '../run/costSpec.ts';
import { InputError } from '../run/inputError.ts';
import type { Parameter, ParameterValues } from '../run/parameter.ts';
import { number, text } from './values.ts';

const operators = { parameter: 'cost_model', is: ['operators'] } as const;
const linear = { parameter: 'cost_model', is: ['linear'] } as const;
const apart = { parameter: 'linear_pools', is: ['apart'] } as const;

const coefficient = (
  id: string,
  label: string,
  unit: string,
  value: number,
  help: string,
  when: { readonly parameter: string; readonly is: readonly string[] } = linear,
): Parameter => ({
  kind: 'number',
  id,
  label,
  group: 'model',
  unit,
  min: 0,
  max: 1e6,
  default: value,
  when,
  help,
});

/** How long a pass takes: which model says so, and what each of them needs. `costOf` makes the spec of it. */
export const costParameters: readonly Parameter[] = [
  {
    kind: 'choice',
    id: 'cost_model',
    label: 'Cost model',
    group: 'model',
    default: 'roofline',
    choices: [
      {
        id: 'roofline',
        label: 'Roofline',
        help: 'From the model’s shape and the card’s data sheet, with two efficiencies.',
      },
      {
        id: 'operators',
        label: 'Operator tables',
        help: 'Sum of operators as measured on a card: the most exact one, for one model on one card.',
      },
      {
        id: 'linear',
        label: 'Coefficients',
        help: 'Constant + tokens + sequences + context, as fitted to passes (`dyno calibrate --fit linear`).',
      },
    ],
    help: 'What says how long a pass takes. The GPU still says how much memory there is.',
  },
  {
    kind: 'text',
    id: 'operator_tables',
    label: 'Operator tables',
    group: 'model',
    placeholder: 'folder with op-attention.csv, op-dense.csv, op-per_sequence.csv',
    default: '',
    when: operators,
    help: 'Folder of the measured operators of this model on this card. The run keeps its path and checksum.',
  },
  {
    kind: 'number',
    id: 'operator_skew',
    label: 'Uneven contexts',
    group: 'model',
    unit: '',
    min: 0,
    max: 1,
    step: 0.01,
    default: 0,
    when: operators,
    help: 'What uneven contexts cost decode attention, as profiled with the tables (alpha_default); 0 where it was not.',
  },
  {
    kind: 'integer',
    id: 'graph_tokens',
    label: 'Largest CUDA graph',
    group: 'model',
    unit: 'tokens',
    min: 0,
    max: 65_536,
    default: 512,
    when: operators,
    help: 'Batches up to this many tokens run as a captured graph, padded to its size; 0: none does.',
  },
  {
    kind: 'number',
    id: 'operator_link_gb_per_s',
    label: 'Link of the group',
    group: 'model',
    unit: 'GB/s',
    min: 0,
    max: 10_000,
    default: 0,
    when: operators,
    help: 'What the GPUs of a group talk over, one direction: all-reduces and exchanges of experts are not in the tables. Needed with tensor or data parallelism.',
  },
  {
    kind: 'number',
    id: 'operator_link_latency_us',
    label: 'Its latency',
    group: 'model',
    unit: 'µs',
    min: 0,
    max: 100_000,
    default: 5,
    when: operators,
    help: 'What each all-reduce or exchange costs beside its bytes.',
  },
  {
    kind: 'integer',
    id: 'operator_data_ranks',
    label: 'Data-parallel ranks',
    group: 'model',
    unit: 'instances',
    min: 1,
    max: 64,
    default: 1,
    when: operators,
    help: 'Of a mixture of experts: so many instances run in lockstep and share their experts. The number of instances must be a multiple.',
  },
  {
    kind: 'integer',
    id: 'operator_expert_ranks',
    label: 'Experts divided over',
    group: 'model',
    unit: 'GPUs',
    min: 1,
    max: 512,
    default: 1,
    when: operators,
    help: 'Of a mixture of experts: GPUs of expert parallelism, usually data-parallel ranks × tensor parallelism; 1: none.',
  },
  {
    kind: 'number',
    id: 'operator_gate_skew',
    label: 'Uneven experts',
    group: 'model',
    unit: '',
    min: 0,
    max: 3,
    step: 0.1,
    default: 0,
    when: operators,
    help: 'Zipf exponent of the experts’ popularity; 0 is even. 0.6 reaches as many experts as Qwen3-30B-A3B’s gate was recorded to.',
  },
  coefficient('linear_base_us', 'Constant', 'µs', 5000, 'Time of a pass with nothing in it.'),
  coefficient('linear_prefill_us', 'Per prompt token', 'µs', 30, 'Time that each prompt token adds.'),
  coefficient(
    'linear_pair_us',
    'Per pair of a prompt',
    'µs',
    0,
    'Time that each (query, key) pair of a prompt’s causal attention adds.',
  ),
  coefficient('linear_decode_us', 'Per sequence', 'µs', 20, 'Time that each decoding sequence adds.'),
  coefficient(
    'linear_context_us',
    'Per context token',
    'µs',
    0.05,
    'Time that each token in the context of a decoding sequence adds.',
  ),
  {
    kind: 'choice',
    id: 'linear_pools',
    label: 'Decode pool',
    group: 'model',
    default: 'same',
    when: linear,
    choices: [
      { id: 'same', label: 'The same coefficients' },
      {
        id: 'apart',
        label: 'Its own coefficients',
        help: 'Where the two pools run on other cards or settings.',
      },
    ],
    help: 'Whether instances of a decode pool take as long as the others.',
  },
  coefficient('decode_base_us', 'Decode pool: constant', 'µs', 5000, 'As above, of the decode pool.', apart),
  coefficient(
    'decode_prefill_us',
    'Decode pool: per prompt token',
    'µs',
    30,
    'As above, of the decode pool.',
    apart,
  ),
  coefficient('decode_pair_us', 'Decode pool: per pair', 'µs', 0, 'As above, of the decode pool.', apart),
  coefficient(
    'decode_decode_us',
    'Decode pool: per sequence',
    'µs',
    20,
    'As above, of the decode pool.',
    apart,
  ),
  coefficient(
    'decode_context_us',
    'Decode pool: per context token',
    'µs',
    0.05,
    'As above, of the decode pool.',
    apart,
  ),
];

const linearCostOf = (values: ParameterValues, prefix: 'linear' | 'decode'): CostSpec => ({
  kind: 'linear',
  base_us: number(values, `${prefix}_base_us`),
  prefill_us_per_token: number(values, `${prefix}_prefill_us`),
  prefill_us_per_pair: number(values, `${prefix}_pair_us`),
  decode_us_per_sequence: number(values, `${prefix}_decode_us`),
  decode_us_per_context_token: number(values, `${prefix}_context_us`),
});

/** The cost of the decode pool where it was given coefficients of its own; else undefined. */
export const decodePoolCost = (values: ParameterValues): CostSpec | undefined =>
  values['cost_model'] === 'linear' && values['linear_pools'] === 'apart'
    ? linearCostOf(values, 'decode')
    : undefined;

/** The cost of instance `index` of `instances`. Throws InputError where the chosen model lacks what it needs. */
export function costOf(values: ParameterValues, index = 0, instances = 1): CostSpec {
  const tensor_parallel = number(values, 'tensor_parallel');
  const iteration_overhead_us = number(values, 'iteration_overhead_us');
  switch (text(values, 'cost_model')) {
    case 'operators': {
      const path = text(values, 'operator_tables').trim();
      if (path === '') {
        throw new InputError(
          'parameter operator_tables: empty, expected a folder with op-attention.csv, op-dense.csv and op-per_sequence.csv',
        );
      }
      const dataRanks = number(values, 'operator_data_ranks');
      const ranks = number(values, 'operator_expert_ranks');
      const bandwidth = number(values, 'operator_link_gb_per_s');
      const isMoe = findModel(text(values, 'model'))?.experts !== undefined;
      if ((tensor_parallel > 1 || dataRanks > 1) && bandwidth === 0) {
        throw new InputError(
          'parameter operator_link_gb_per_s: 0, expected the link of the group in GB/s: the tables leave out what GPUs send each other',
        );
      }
      if ((dataRanks > 1 || ranks > 1) && !isMoe) {
        throw new InputError(
          `parameter ${dataRanks > 1 ? 'operator_data_ranks' : 'operator_expert_ranks'}: expected 1, ${text(values, 'model')} has no experts; set instances instead`,
        );
      }
      if (instances % dataRanks !== 0) {
        throw new InputError(
          `parameter operator_data_ranks: ${dataRanks}, expected a divisor of the ${instances} instances`,
        );
      }
      const link = {
        latency_us: number(values, 'operator_link_latency_us'),
        bandwidth_gb_per_s: bandwidth,
      };
      return {
        kind: 'operators',
        path,
        tensor_parallel,
        iteration_overhead_us,
        skew: number(values, 'operator_skew'),
        graph_tokens: number(values, 'graph_tokens'),
        ...(tensor_parallel > 1 ? { all_reduce: link } : {}),
        ...(isMoe
          ? {
              experts: {
                group: `engine-${Math.floor(index / dataRanks)}`,
                ranks,
                data_ranks: dataRanks,
                gate_skew: number(values, 'operator_gate_skew'),
                ...(dataRanks > 1 ? { link } : {}),
              },
            }
          : {}),
      };
    }
    case 'linear':
      return linearCostOf(values, 'linear');
    default:
      return {
        kind: 'roofline',
        gpu: text(values, 'gpu'),
        tensor_parallel,
        compute_efficiency: number(values, 'compute_efficiency'),
        memory_efficiency: number(values, 'memory_efficiency'),
        iteration_overhead_us,
      };
  }
}
