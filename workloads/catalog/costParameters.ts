import type { CostSpec } from '../run/costSpec.ts';
import { InputError } from '../run/inputError.ts';
import type { Parameter, ParameterValues } from '../run/parameter.ts';
import { number, text } from './values.ts';

const operators = { parameter: 'cost_model', is: ['operators'] } as const;
const linear = { parameter: 'cost_model', is: ['linear'] } as const;

const coefficient = (id: string, label: string, unit: string, value: number, help: string): Parameter => ({
  kind: 'number',
  id,
  label,
  group: 'model',
  unit,
  min: 0,
  max: 1e6,
  default: value,
  when: linear,
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
];

/** The cost of one instance. Throws InputError where the chosen model lacks what it needs. */
export function costOf(values: ParameterValues): CostSpec {
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
      if (tensor_parallel > 1) {
        throw new InputError(
          `parameter tensor_parallel: ${tensor_parallel}, expected 1 with operator tables: they leave out the all-reduce (a run spec can add one)`,
        );
      }
      return {
        kind: 'operators',
        path,
        tensor_parallel,
        iteration_overhead_us,
        skew: number(values, 'operator_skew'),
        graph_tokens: number(values, 'graph_tokens'),
      };
    }
    case 'linear':
      return {
        kind: 'linear',
        base_us: number(values, 'linear_base_us'),
        prefill_us_per_token: number(values, 'linear_prefill_us'),
        prefill_us_per_pair: number(values, 'linear_pair_us'),
        decode_us_per_sequence: number(values, 'linear_decode_us'),
        decode_us_per_context_token: number(values, 'linear_context_us'),
      };
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
