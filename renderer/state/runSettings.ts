import { z } from 'zod';
import { engineId, trafficSpec } from '../../workloads/run/spec.ts';
import { go } from './actions.ts';
import { type AnyTarget, findTarget } from './catalogue.ts';
import { errorOf } from './hostClient.ts';
import { notify, notifyError } from './notices.ts';
import { baselineOf, defaultsOf, type FormValues } from './runForm.ts';
import type { Workbench } from './workbench.ts';

/** Of a manifest only what the form holds; bundles of other versions may say more. */
const formOfSpec = z.object({
  target: z.string(),
  variant: z.string(),
  engine: engineId,
  parameters: z.record(z.string(), z.union([z.number(), z.string(), z.boolean()])),
  seed: z.number(),
  iterations: z.number(),
  traffic: trafficSpec.optional(),
});
export type FormOfSpec = z.infer<typeof formOfSpec>;

/** The form's values that make this run again; a parameter that the target no longer has is left out. */
export function valuesOf(target: AnyTarget, spec: FormOfSpec): FormValues {
  const usual = defaultsOf(target);
  const known = new Set(target.parameters.map(({ id }) => id));
  const own = Object.entries(spec.parameters).filter(([id]) => known.has(id));
  const isBaseline = spec.variant === baselineOf(target);
  const isVariant = target.variants.some(({ id }) => id === spec.variant);
  const { traffic } = spec;
  const trace = traffic?.kind === 'trace' ? traffic : undefined;
  return {
    ...usual,
    parameters: { ...usual.parameters, ...Object.fromEntries(own) },
    engine: spec.engine,
    seed: spec.seed,
    iterations: spec.iterations,
    compared: isBaseline || !isVariant ? usual.compared : spec.variant,
    trace: trace === undefined ? null : withoutKind(trace),
  };
}

const withoutKind = <T extends { kind: string }>({ kind: _kind, ...rest }: T): Omit<T, 'kind'> => rest;

/** Fills the form of a run's target with what the run was set to, and shows it. */
export async function takeSettingsOf(workbench: Workbench, run: string): Promise<void> {
  try {
    const { manifest } = await workbench.client.request('runs.open', { run });
    const spec = formOfSpec.parse(
      typeof manifest === 'object' && manifest !== null && 'spec' in manifest ? manifest.spec : undefined,
    );
    const target = findTarget(spec.target);
    if (target === undefined) {
      notifyError('These settings have no form', {
        code: 'not_found',
        message: `${spec.target} is not in the catalogue`,
        hint: 'the command line runs its spec: dyno run --spec',
      });
      return;
    }
    const values = valuesOf(target, spec);
    workbench.form.setState((state) => ({
      target: target.id,
      values: { ...state.values, [target.id]: values },
    }));
    go(workbench, 'run');
    notify('The form is set as this run was', target.title);
  } catch (thrown) {
    notifyError('The settings were not read', errorOf(thrown));
  }
}
