import { Checkbox, NumberInput, Select } from '@mantine/core';
import type { ReactNode } from 'react';
import { timeUnits } from '../../../workloads/run/timeUnits.ts';
import type { TraceChoice } from '../../state/runForm.ts';
import styles from './Run.module.css';

interface TraceRowsProps {
  readonly trace: TraceChoice;
  readonly onTrace: (trace: TraceChoice) => void;
}

/** Numbers that say how a trace is read; empty means that its values tell. */
const numbers = [
  { key: 'limit', label: 'First requests only', placeholder: 'all', min: 1, whole: true },
  { key: 'block_tokens', label: 'Tokens per block id', placeholder: 'by the values', min: 0, whole: true },
  { key: 'from_s', label: 'From (s)', placeholder: 'the start', min: 0, whole: false },
  { key: 'to_s', label: 'To (s)', placeholder: 'the end', min: 0, whole: false },
  { key: 'sample', label: 'Share of requests', placeholder: '1', min: 0, max: 1, whole: false },
  { key: 'rate_rps', label: 'Rate without times (req/s)', placeholder: 'times', min: 0, whole: false },
  { key: 'chars_per_token', label: 'Characters per token', placeholder: 'lengths', min: 0, whole: false },
  { key: 'output_tokens', label: 'Output tokens if absent', placeholder: 'lengths', min: 1, whole: true },
] as const;

type NumberKey = (typeof numbers)[number]['key'];

/** A trace's file and how it is read. */
export function TraceRows({ trace, onTrace }: TraceRowsProps) {
  const name = trace.path.split(/[/\\]/).at(-1) ?? trace.path;
  const withNumber = (key: NumberKey, value: number | undefined): TraceChoice => {
    const { [key]: _before, ...rest } = trace;
    return value === undefined ? rest : { ...rest, [key]: value };
  };
  const withFlag = (key: 'drop_empty' | 'drop_oversized', isOn: boolean): TraceChoice => {
    const { [key]: _before, ...rest } = trace;
    return isOn ? { ...rest, [key]: true } : rest;
  };
  return (
    <>
      <Row label="Trace">
        <span className={`${styles.tracePath} mono`} title={trace.path}>
          {name}
        </span>
      </Row>
      <Row label="Speed-up" htmlFor="trace-speedup">
        <NumberInput
          id="trace-speedup"
          className={styles.input ?? ''}
          value={trace.speedup}
          min={0.01}
          max={1000}
          suffix=" ×"
          hideControls
          onChange={(speedup) => {
            if (typeof speedup === 'number' && speedup > 0) onTrace({ ...trace, speedup });
          }}
        />
      </Row>
      <Row label="Unit of its times" htmlFor="trace-time-unit">
        <Select
          id="trace-time-unit"
          className={styles.input ?? ''}
          data={timeUnits.map((unit) => ({ value: unit, label: unit }))}
          value={trace.time_unit ?? null}
          placeholder="by the values"
          clearable
          onChange={(unit) => {
            const { time_unit: _before, ...rest } = trace;
            const found = timeUnits.find((each) => each === unit);
            onTrace(found === undefined ? rest : { ...rest, time_unit: found });
          }}
        />
      </Row>
      {numbers.map(({ key, label, placeholder, min, whole, ...more }) => (
        <Row key={key} label={label} htmlFor={`trace-${key}`}>
          <NumberInput
            id={`trace-${key}`}
            className={styles.input ?? ''}
            value={trace[key] ?? ''}
            min={min}
            {...more}
            allowDecimal={!whole}
            placeholder={placeholder}
            hideControls
            onChange={(value) => {
              const isGiven =
                typeof value === 'number' && value >= min && (value > 0 || key === 'block_tokens');
              onTrace(withNumber(key, isGiven ? value : undefined));
            }}
          />
        </Row>
      ))}
      <Row label="Requests without tokens">
        <Checkbox
          label="drop and count"
          checked={trace.drop_empty === true}
          onChange={({ currentTarget }) => onTrace(withFlag('drop_empty', currentTarget.checked))}
        />
      </Row>
      <Row label="Requests larger than the memory">
        <Checkbox
          label="drop and count"
          checked={trace.drop_oversized === true}
          onChange={({ currentTarget }) => onTrace(withFlag('drop_oversized', currentTarget.checked))}
        />
      </Row>
    </>
  );
}

function Row({
  label,
  htmlFor,
  children,
}: {
  readonly label: string;
  readonly htmlFor?: string;
  readonly children: ReactNode;
}) {
  return (
    <div className={styles.row}>
      {htmlFor === undefined ? (
        <span className={styles.label}>{label}</span>
      ) : (
        <label className={styles.label} htmlFor={htmlFor}>
          {label}
        </label>
      )}
      {children}
    </div>
  );
}
