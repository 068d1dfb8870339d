import { SegmentedControl } from '@mantine/core';
import { useForm } from '@mantine/form';
import { defaultKernelRounds } from '../../../workloads/catalog/kernelTargets.ts';
import type { Parameter } from '../../../workloads/run/parameter.ts';
import { engineId } from '../../../workloads/run/spec.ts';
import { type AnyTarget, enginesFor, isKernelTarget } from '../../state/catalogue.ts';
import { type FormValues, groupOrder, groupTitles, isActive, problemsOf } from '../../state/runForm.ts';
import { ParameterRow } from './ParameterRow.tsx';
import styles from './Run.module.css';
import { TrafficPanel } from './TrafficPanel.tsx';

interface ParameterFormProps {
  readonly target: AnyTarget;
  readonly values: FormValues;
  readonly onChange: (values: FormValues) => void;
}

const seedParameter: Parameter = {
  id: 'seed',
  label: 'Seed',
  group: 'measurement',
  help: 'Every random draw comes from it. The same spec with the same seed gives the same bytes.',
  kind: 'integer',
  unit: '',
  min: 0,
  max: 0xffffffff,
  default: 0,
};

const iterationsParameter: Parameter = {
  id: 'iterations',
  label: 'Replicates',
  group: 'measurement',
  help: 'How often each variant is run, each time with its own seeds. More make the interval of the ratio narrower.',
  kind: 'integer',
  unit: '',
  min: 1,
  max: 1000,
  default: 1,
};

/** Of kernels: they are measured in turn, and the seed makes their inputs. */
const roundsParameter: Parameter = {
  ...iterationsParameter,
  label: 'Rounds',
  help: 'Measured iterations of each variant, in turn (A B A B …) after the warm-up. More make the interval of the ratio narrower; fewer than five carry none.',
  default: defaultKernelRounds,
};

/** The form that a target's parameter schema describes. */
export function ParameterForm({ target, values, onChange }: ParameterFormProps) {
  const form = useForm<FormValues>({
    mode: 'controlled',
    initialValues: values,
    onValuesChange: onChange,
  });
  // A trace may come from a dialog, a drop or a command: the store is the truth.
  const current = { ...form.values, trace: values.trace };
  const problems = problemsOf(target, current);
  const set = (id: string, value: number | string | boolean) => {
    if (id === 'seed' || id === 'iterations') onChangeTop({ [id]: value });
    else onChangeTop({ parameters: { ...current.parameters, [id]: value } });
  };
  const onChangeTop = (change: Partial<FormValues>) => form.setValues({ ...current, ...change });
  const replaced = current.trace !== null;

  const rowsOf = (group: Parameter['group']) => {
    const own = target.parameters.filter(
      (parameter) => parameter.group === group && isActive(parameter, current.parameters),
    );
    const rounds = isKernelTarget(target) ? roundsParameter : iterationsParameter;
    const rows = group === 'measurement' ? [...own, rounds, seedParameter] : own;
    return rows.map((parameter) => (
      <ParameterRow
        key={parameter.id}
        parameter={parameter}
        value={
          parameter.id === 'seed'
            ? current.seed
            : parameter.id === 'iterations'
              ? current.iterations
              : current.parameters[parameter.id]
        }
        problem={problems[parameter.id]}
        variantCount={target.variants.length}
        onChange={(value) => set(parameter.id, value)}
      />
    ));
  };

  return (
    <div className={styles.form} data-testid="parameter-form">
      <header className={styles.formHead}>
        <div>
          <h1>{target.title}</h1>
          <p>{target.summary}</p>
        </div>
        {enginesFor(target).length > 1 ? (
          <SegmentedControl
            data={[...enginesFor(target)]}
            value={current.engine}
            onChange={(engine) => onChangeTop({ engine: engineId.parse(engine) })}
            aria-label="Engine"
          />
        ) : null}
      </header>
      <div className={styles.groups}>
        {groupOrder.map((group) => {
          const rows = rowsOf(group);
          if (group !== 'traffic')
            return rows.length === 0 ? null : <Group key={group} title={groupTitles[group]} rows={rows} />;
          if (isKernelTarget(target)) return null;
          return (
            <section key={group} className={`${styles.group} ${styles.wide}`}>
              <h2>{groupTitles.traffic}</h2>
              <TrafficPanel
                target={target}
                values={current}
                onTrace={(trace) => onChange({ ...current, trace })}
                isValid={Object.keys(problems).length === 0}
              >
                {replaced ? null : rows}
              </TrafficPanel>
            </section>
          );
        })}
      </div>
    </div>
  );
}

function Group({ title, rows }: { readonly title: string; readonly rows: readonly React.ReactNode[] }) {
  return (
    <section className={styles.group}>
      <h2>{title}</h2>
      {rows}
    </section>
  );
}
