import { Button, Modal, TagsInput, Textarea } from '@mantine/core';
import { useState } from 'react';
import type { RunInfo } from '../../../electron/contract/protocol.ts';
import { annotate } from '../../state/actions.ts';
import { useWorkbench } from '../../state/workbench.ts';
import styles from './History.module.css';

/** Edits the tags and the note of a run. */
export function EditDialog({ run, onClose }: { readonly run: RunInfo; readonly onClose: () => void }) {
  const workbench = useWorkbench();
  const [tags, setTags] = useState([...run.tags]);
  const [note, setNote] = useState(run.note);
  return (
    <Modal opened onClose={onClose} title="Tags and note" size={440}>
      <TagsInput
        label="Tags"
        size="xs"
        value={tags}
        onChange={setTags}
        placeholder="Enter adds a tag"
        data-autofocus
      />
      <Textarea
        label="Note"
        mt="sm"
        autosize
        minRows={3}
        value={note}
        onChange={(event) => setNote(event.currentTarget.value)}
      />
      <div className={styles.dialogButtons}>
        <Button variant="default" onClick={onClose}>
          Cancel
        </Button>
        <Button
          onClick={() => {
            void annotate(workbench, run.run, { tags, note });
            onClose();
          }}
        >
          Save
        </Button>
      </div>
    </Modal>
  );
}
