import { useStore } from 'zustand';
import { changeForm } from '../../state/actions.ts';
import { findTarget } from '../../state/catalogue.ts';
import { defaultsOf } from '../../state/runForm.ts';
import { useWorkbench } from '../../state/workbench.ts';
import { EmptyState } from '../../ui/EmptyState.tsx';
import { Catalogue } from './Catalogue.tsx';
import { Footer } from './Footer.tsx';
import { ParameterForm } from './ParameterForm.tsx';
import styles from './Run.module.css';

/** Left the catalogue, middle the form; the lesson is in the inspector at the right. */
export function Run() {
  const workbench = useWorkbench();
  const id = useStore(workbench.form, (state) => state.target);
  const values = useStore(workbench.form, (state) => state.values[id]);
  const target = findTarget(id);
  return (
    <div className={styles.run}>
      <Catalogue />
      {target === undefined ? (
        <EmptyState title="Choose a workload">The catalogue is at the left.</EmptyState>
      ) : (
        <div className={styles.middle}>
          <ParameterForm
            key={target.id}
            target={target}
            values={values ?? defaultsOf(target)}
            onChange={(next) => changeForm(workbench, next)}
          />
          <Footer target={target} values={values ?? defaultsOf(target)} />
        </div>
      )}
    </div>
  );
}
