import { TextInput } from '@mantine/core';
import { IconSearch } from '@tabler/icons-react';
import { useState } from 'react';
import { useStore } from 'zustand';
import { chooseTarget } from '../../state/actions.ts';
import { catalogue, chaptersOf, chapterTitle } from '../../state/catalogue.ts';
import { withTarget } from '../../state/kinds/runKinds.ts';
import { useWorkbench } from '../../state/workbench.ts';
import { useRoving } from '../../ui/roving.ts';
import styles from './Run.module.css';

/** Every target by chapter; the search looks at ids, titles and summaries. */
export function Catalogue() {
  const workbench = useWorkbench();
  const chosen = useStore(workbench.form, (state) => state.target);
  const [query, setQuery] = useState('');
  const roving = useRoving<HTMLDivElement>('button');
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  const found = catalogue.filter((target) => {
    const text = `${target.id} ${target.title} ${target.summary} ${target.chapter}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
  return (
    <nav className={styles.catalogue} aria-label="Catalogue">
      <TextInput
        value={query}
        onChange={(event) => setQuery(event.currentTarget.value)}
        placeholder={`Search ${catalogue.length} ${catalogue.length === 1 ? 'workload' : 'workloads'}`}
        aria-label="Search the catalogue"
        data-search
        leftSection={<IconSearch size={14} />}
        className={styles.search ?? ''}
      />
      <div className={styles.targets} {...roving}>
        {chaptersOf(found).map(({ chapter, targets }) => (
          <section key={chapter}>
            <h2>{chapterTitle(chapter)}</h2>
            {targets.map((target) => (
              <button
                key={target.id}
                type="button"
                className={styles.target}
                aria-current={target.id === chosen}
                title={target.summary}
                onClick={() => chooseTarget(workbench, target.id)}
              >
                <span className={styles.targetTitle}>{target.title}</span>
                <span className={styles.targetId}>
                  <span className={`${styles.targetName} mono`}>{target.id}</span>
                  {withTarget(target, (kind, own) => kind.engines(own)).map((engine) => (
                    <span key={engine} className={styles.engine}>
                      {engine}
                    </span>
                  ))}
                </span>
              </button>
            ))}
          </section>
        ))}
        {found.length === 0 && <p className={styles.nothing}>No workload matches “{query}”.</p>}
      </div>
    </nav>
  );
}
