import { ActionIcon, NumberInput, Select, Switch, TextInput, Tooltip } from '@mantine/core';
import { IconArrowBackUp } from '@tabler/icons-react';
import type { Parameter, ParameterValue } from '../../../workloads/run/parameter.ts';
import { variantToken } from '../../ui/variantColour.ts';
import styles from './Run.module.css';

interface ParameterRowProps {
  readonly parameter: Parameter;
  readonly value: ParameterValue | undefined;
  readonly problem: string | undefined;
  readonly variantCount: number;
  readonly onChange: (value: ParameterValue) => void;
}

/** Label with its help, input with its unit, way back to the default, and what is wrong. */
export function ParameterRow({ parameter, value, problem, variantCount, onChange }: ParameterRowProps) {
  const isChanged = value !== parameter.default;
  const only =
    parameter.variants !== undefined && parameter.variants.length < variantCount ? parameter.variants : [];
  const inputId = `parameter-${parameter.id}`;
  return (
    <div className={styles.row} data-changed={isChanged}>
      <Tooltip label={<Help parameter={parameter} />} position="top-start">
        <label className={styles.label} htmlFor={inputId}>
          {parameter.label}
          {only.map((variant) => (
            <span
              key={variant}
              className={styles.only}
              style={{ background: `var(${variantToken(variant)})` }}
              role="img"
              aria-label={`read by ${variant} only`}
            />
          ))}
        </label>
      </Tooltip>
      <div className={styles.input}>
        <Input
          id={inputId}
          parameter={parameter}
          value={value}
          hasProblem={problem !== undefined}
          onChange={onChange}
        />
      </div>
      <Tooltip label={`Back to ${defaultText(parameter)}`}>
        <ActionIcon
          size={20}
          className={styles.reset ?? ''}
          disabled={!isChanged}
          aria-label={`Reset ${parameter.label}`}
          onClick={() => onChange(parameter.default)}
        >
          <IconArrowBackUp size={13} />
        </ActionIcon>
      </Tooltip>
      {problem !== undefined && (
        <div className={styles.problem} role="alert">
          {problem}
        </div>
      )}
    </div>
  );
}

function Input({
  id,
  parameter,
  value,
  hasProblem,
  onChange,
}: Omit<ParameterRowProps, 'problem' | 'variantCount'> & {
  readonly id: string;
  readonly hasProblem: boolean;
}) {
  switch (parameter.kind) {
    case 'boolean':
      return (
        <Switch
          id={id}
          checked={value === true}
          onChange={(event) => onChange(event.currentTarget.checked)}
        />
      );
    case 'choice':
      return (
        <Select
          id={id}
          value={String(value)}
          data={parameter.choices.map((choice) => ({ value: choice.id, label: choice.label }))}
          onChange={(chosen) => {
            if (chosen !== null) onChange(chosen);
          }}
          renderOption={({ option }) => (
            <div>
              <div>{option.label}</div>
              <div className={styles.optionHelp}>
                {parameter.choices.find((choice) => choice.id === option.value)?.help}
              </div>
            </div>
          )}
        />
      );
    case 'text':
      return (
        <TextInput
          id={id}
          value={String(value ?? '')}
          placeholder={parameter.placeholder}
          error={hasProblem}
          onChange={(event) => onChange(event.currentTarget.value)}
        />
      );
    case 'number':
    case 'integer':
      return (
        <NumberInput
          id={id}
          value={typeof value === 'number' && Number.isFinite(value) ? value : ''}
          step={parameter.step ?? stepOf(parameter)}
          allowDecimal={parameter.kind === 'number'}
          allowNegative={parameter.min < 0}
          hideControls
          suffix={parameter.unit === '' ? '' : ` ${parameter.unit}`}
          error={hasProblem}
          onChange={(next) => onChange(typeof next === 'number' ? next : Number.NaN)}
        />
      );
    default:
      return parameter satisfies never;
  }
}

const stepOf = ({ min, max, kind }: { readonly min: number; readonly max: number; readonly kind: string }) =>
  kind === 'integer' ? Math.max(1, Math.round((max - min) / 1000)) : (max - min) / 1000;

function defaultText(parameter: Parameter): string {
  if (parameter.kind === 'boolean') return parameter.default ? 'on' : 'off';
  if (parameter.kind === 'text') return parameter.default === '' ? 'empty' : parameter.default;
  if (parameter.kind === 'choice')
    return parameter.choices.find((choice) => choice.id === parameter.default)?.label ?? parameter.default;
  return `${parameter.default}${parameter.unit === '' ? '' : ` ${parameter.unit}`}`;
}

function Help({ parameter }: { readonly parameter: Parameter }) {
  const isNumber = parameter.kind === 'number' || parameter.kind === 'integer';
  return (
    <div className={styles.help}>
      <div>{parameter.help}</div>
      {parameter.variants !== undefined && <div>Read by {parameter.variants.join(', ')} only.</div>}
      <div className={styles.helpFoot}>
        <code>{parameter.id}</code>
        {isNumber &&
          ` · ${parameter.min} to ${parameter.max}${parameter.unit === '' ? '' : ` ${parameter.unit}`}`}{' '}
        · default {defaultText(parameter)}
      </div>
    </div>
  );
}
