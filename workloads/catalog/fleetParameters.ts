import type { NumberParameter, ParameterGroup } from '../run/parameter.ts';

interface Range {
  readonly min: number;
  readonly max: number;
  readonly default: number;
  readonly step?: number;
  readonly log?: boolean;
}

const numeric =
  (kind: 'number' | 'integer') =>
  (
    id: string,
    label: string,
    unit: string,
    range: Range,
    help: string,
    more: { readonly group?: ParameterGroup; readonly variants?: readonly string[] } = {},
  ): NumberParameter => ({
    kind,
    id,
    label,
    group: more.group ?? 'cluster',
    unit,
    ...range,
    help,
    ...(more.variants === undefined ? {} : { variants: more.variants }),
  });

/** Short forms for the parameters of targets whose clusters change. */
export const numberParameter = numeric('number');
export const integerParameter = numeric('integer');
