/** A parameter of a target. The form, the command line's `--set`, the help and the validation are all generated from it. */
export type ParameterValue = number | string | boolean;
export type ParameterValues = Readonly<Record<string, ParameterValue>>;

export type ParameterGroup = 'traffic' | 'cluster' | 'model' | 'scheduler' | 'policy' | 'slo' | 'measurement';

interface ParameterBase {
  /** snake_case; unique in its target. */
  readonly id: string;
  readonly label: string;
  readonly group: ParameterGroup;
  /** One or two sentences: what it does, and what a larger value brings. */
  readonly help: string;
  /** Shown only while another parameter has one of these values. */
  readonly when?: { readonly parameter: string; readonly is: readonly ParameterValue[] };
  /** Only these variants read it; all of them where absent. */
  readonly variants?: readonly string[];
}

export interface NumberParameter extends ParameterBase {
  readonly kind: 'number' | 'integer';
  readonly unit: string;
  readonly min: number;
  readonly max: number;
  readonly step?: number;
  /** Sliders and sweeps walk a log scale. */
  readonly log?: boolean;
  readonly default: number;
}

export interface ChoiceParameter extends ParameterBase {
  readonly kind: 'choice';
  readonly choices: readonly { readonly id: string; readonly label: string; readonly help?: string }[];
  /** The choices are models: the id of a shape that was read from a file is one more (`--model FILE`). */
  readonly models?: true;
  readonly default: string;
}

export interface BooleanParameter extends ParameterBase {
  readonly kind: 'boolean';
  readonly default: boolean;
}

/** Free text: a path. Empty where nothing was chosen. */
export interface TextParameter extends ParameterBase {
  readonly kind: 'text';
  /** What is expected, for the empty field and for messages. */
  readonly placeholder: string;
  readonly default: string;
}

export type Parameter = NumberParameter | ChoiceParameter | BooleanParameter | TextParameter;
