import { useState } from 'react';
import { useStore } from 'zustand';
import { changeForm, chooseTrace } from '../../state/actions.ts';
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
  const [isDropping, setDropping] = useState(false);
  return (
    <div
      className={styles.run}
      data-dropping={isDropping}
      onDragOver={(event) => {
        event.preventDefault();
        setDropping(true);
      }}
      onDragLeave={() => setDropping(false)}
      onDrop={(event) => {
        event.preventDefault();
        setDropping(false);
        const file = event.dataTransfer.files.item(0);
        const path = file === null ? '' : workbench.bridge.pathOfFile(file);
        if (path !== '') chooseTrace(workbench, path);
      }}
    >
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
