import { SegmentedControl } from '@mantine/core';
import { useForm } from '@mantine/form';
import type { Parameter } from '../../../workloads/run/parameter.ts';
import { engineId } from '../../../workloads/run/spec.ts';
import type { AnyTarget } from '../../state/catalogue.ts';
import { withTarget } from '../../state/kinds/runKinds.ts';
import { type FormValues, groupOrder, groupTitles, isActive, problemsOf } from '../../state/runForm.ts';
import { kindViews } from '../kinds/kindViews.ts';
import { ParameterRow } from './ParameterRow.tsx';
import styles from './Run.module.css';
import { ServersPanel } from './ServersPanel.tsx';

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
  const engines = withTarget(target, (kind, own) => kind.engines(own));
  const { rounds, FormTraffic } = kindViews[withTarget(target, ({ id }) => id)];

  const rowsOf = (group: Parameter['group']) => {
    const own = target.parameters.filter(
      (parameter) => parameter.group === group && isActive(parameter, current.parameters),
    );
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
        {engines.length > 1 ? (
          <SegmentedControl
            data={[...engines]}
            value={current.engine}
            onChange={(engine) => onChangeTop({ engine: engineId.parse(engine) })}
            aria-label="Engine"
          />
        ) : null}
      </header>
      <div className={styles.groups}>
        {current.engine === 'http' && (
          <ServersPanel
            servers={current.servers}
            problem={problems['servers']}
            onChange={(servers) => onChangeTop({ servers })}
          />
        )}
        {groupOrder.map((group) => {
          const rows = rowsOf(group);
          if (group !== 'traffic')
            return rows.length === 0 ? null : <Group key={group} title={groupTitles[group]} rows={rows} />;
          return (
            <FormTraffic
              key={group}
              target={target}
              values={current}
              onTrace={(trace) => onChange({ ...current, trace })}
              isValid={Object.keys(problems).every((id) => id === 'servers')}
              rows={rows}
            />
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
