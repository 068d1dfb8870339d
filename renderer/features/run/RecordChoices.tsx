import { Checkbox, Tooltip } from '@mantine/core';
import { changeForm } from '../../state/actions.ts';
import type { FormValues, RecordChoice } from '../../state/runForm.ts';
import { useWorkbench } from '../../state/workbench.ts';

const nothing: RecordChoice = { kernels: false, counters: false };

/** Chooses the records that a run of kernels makes beside its times, without a profiler around it. */
export function RecordChoices({ values }: { readonly values: FormValues }) {
  const workbench = useWorkbench();
  const record = values.record ?? nothing;
  const change = (next: Partial<RecordChoice>) =>
    changeForm(workbench, { ...values, record: { ...record, ...next } });
  return (
    <>
      <Tooltip
        multiline
        w={300}
        label="Every kernel, copy and CUDA call by CUPTI, as a timeline of the run. What it costs is measured after the run and said."
      >
        <Checkbox
          size="xs"
          label="Record kernels"
          checked={record.kernels}
          onChange={(event) => change({ kernels: event.currentTarget.checked })}
        />
      </Tooltip>
      <Tooltip
        multiline
        w={300}
        label="Hardware counters of each launch of one more iteration, for the roofline: bytes by memory level, operations by format. Needs permission; the measured times stay untouched."
      >
        <Checkbox
          size="xs"
          label="Count"
          aria-label="Hardware counters"
          checked={record.counters}
          onChange={(event) => change({ counters: event.currentTarget.checked })}
        />
      </Tooltip>
    </>
  );
}
