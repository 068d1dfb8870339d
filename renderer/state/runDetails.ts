import { useEffect, useState } from 'react';
import { z } from 'zod';
import type { HostError } from '../../electron/contract/hostError.ts';
import type { RunInfo } from '../../electron/contract/protocol.ts';
import type { KernelSummary } from '../../workloads/kernels/kernelSummary.ts';
import { poolRole, type SloSpec, sloSpec } from '../../workloads/run/spec.ts';
import type { Summary } from '../../workloads/run/summary.ts';
import { errorOf } from './hostClient.ts';
import { kindOf } from './kinds/runKinds.ts';
import { useWorkbench } from './workbench.ts';

// Of the manifest only what the window shows; bundles of other versions may hold more.
const manifest = z.object({
  spec: z.object({
    slo: sloSpec.catch({}),
    seed: z.number().optional(),
    cluster: z.object({ instances: z.array(z.object({ name: z.string(), pool: poolRole })) }).optional(),
  }),
});

export interface RunDetail {
  readonly info: RunInfo;
  readonly slo: SloSpec;
  readonly instances: readonly { readonly name: string; readonly pool: string }[];
  /** Absent while the run goes on, and where it was interrupted before its summary. */
  readonly summary: Summary | undefined;
  /** Of a run that measured kernels. */
  readonly kernels: KernelSummary | undefined;
}

export type Loading<T> =
  | { readonly kind: 'none' | 'loading' }
  | { readonly kind: 'ready'; readonly value: T }
  | { readonly kind: 'failed'; readonly error: HostError };

/** A run's manifest and summary; asked again when its status changes. */
export function useRunDetail(run: string | undefined, status?: string): Loading<RunDetail> {
  const { client } = useWorkbench();
  const [state, setState] = useState<Loading<RunDetail>>({ kind: 'none' });
  useEffect(() => {
    if (run === undefined) {
      setState({ kind: 'none' });
      return;
    }
    let isCurrent = true;
    // `status` is named so that a change of it asks again.
    void status;
    setState((before) =>
      before.kind === 'ready' && before.value.info.run === run ? before : { kind: 'loading' },
    );
    client.request('runs.open', { run }).then(
      (opened) => {
        if (isCurrent)
          setState({ kind: 'ready', value: detailOf(opened.info, opened.manifest, opened.summary) });
      },
      (thrown: unknown) => {
        if (isCurrent) setState({ kind: 'failed', error: errorOf(thrown) });
      },
    );
    return () => {
      isCurrent = false;
    };
  }, [client, run, status]);
  return state;
}

export function detailOf(info: RunInfo, rawManifest: unknown, rawSummary: unknown): RunDetail {
  const parsed = manifest.safeParse(rawManifest);
  const spec = parsed.success ? parsed.data.spec : undefined;
  return {
    info,
    slo: spec?.slo ?? {},
    instances: spec?.cluster?.instances ?? [],
    ...kindOf(info).detail(rawSummary),
  };
}
