import type { AdmissionSpec, TierSpec } from '../run/admissionSpec.ts';
import { InputError } from '../run/inputError.ts';
import type { NumberParameter, Parameter, ParameterValues } from '../run/parameter.ts';
import type { SloSpec } from '../run/spec.ts';
import { findAdmission } from '../serving/admission/admissions.ts';
import { decodeTimeParameter } from '../serving/admission/decodeTime.ts';
import { loadThreshold } from '../serving/admission/loadRejection.ts';
import { sloTiers } from '../serving/admission/sloTiers.ts';
import { number, text } from './servingBase.ts';

/** The lab's tiers: share of its normal traffic, and what its objectives are of the standard tier's (500 and 50 ms). */
const tiers = [
  { name: 'premium', mix: 0.1, reserved: 0.3, ttft: 0.4, tpot: 0.6 },
  { name: 'standard', mix: 0.6, reserved: 0.4, ttft: 1, tpot: 1 },
  { name: 'free', mix: 0.3, reserved: 0.1, ttft: 2, tpot: 2 },
] as const;

const share = (id: string, label: string, value: number, help: string): NumberParameter => ({
  kind: 'number',
  id,
  label,
  group: 'policy',
  unit: '',
  min: 0,
  max: 1,
  step: 0.05,
  default: value,
  help,
});

const capital = (name: string): string => name.charAt(0).toUpperCase() + name.slice(1);

/** Who is in which tier, what it was promised, what a refused client does, and the policies' own parameters. */
export const admissionParameters: readonly Parameter[] = [
  { ...loadThreshold, default: 0.9, variants: ['optimized', 'early_rejection', 'late_rejection'] },
  { ...decodeTimeParameter, variants: ['optimized'] },
  ...sloTiers.parameters.map((p): Parameter => ({ ...p, variants: ['slo_tiers'] })),
  ...tiers.map(({ name, mix }) =>
    share(
      `${name}_share`,
      `${capital(name)}, share of requests`,
      mix,
      `Share of the requests that belong to the tier “${name}”; the three are taken in proportion.`,
    ),
  ),
  ...tiers.map(({ name, reserved }): Parameter => {
    const help = `Share of the capacity that is kept for the tier “${name}” whatever the others send; all three are 1 at most.`;
    return {
      ...share(`${name}_reserved`, `${capital(name)}, reserved`, reserved, help),
      variants: ['slo_tiers'],
    };
  }),
  {
    kind: 'choice',
    id: 'tier_objectives',
    label: 'Objectives of the tiers',
    group: 'slo',
    default: 'same',
    choices: [
      { id: 'same', label: 'All the same', help: 'Every tier is judged by the objectives above.' },
      {
        id: 'published',
        label: 'As in the lab',
        help: 'Of the objectives above: premium 0.4 × TTFT and 0.6 × TPOT, standard 1 ×, free 2 ×.',
      },
    ],
    help: 'What each tier was promised.',
  },
  {
    kind: 'number',
    id: 'deadline_factor',
    label: 'Deadline',
    group: 'slo',
    unit: '× TTFT objective',
    min: 0,
    max: 100,
    default: 0,
    help: 'A request that no instance has begun with after so many of its tier’s TTFT objectives is given up. 0: nobody gives up.',
  },
  {
    kind: 'integer',
    id: 'retries',
    label: 'Retries',
    group: 'traffic',
    unit: 'retries',
    min: 0,
    max: 100,
    default: 0,
    help: 'How often a refused client comes back after the time that it was told. Its latency counts from its first attempt.',
  },
  {
    kind: 'number',
    id: 'retry_jitter',
    label: 'Retry jitter',
    group: 'traffic',
    unit: '',
    min: 0,
    max: 1,
    step: 0.05,
    default: 0.2,
    help: 'Up to this share of the wait is added at random, so that those who were refused together do not come back together.',
  },
  {
    kind: 'number',
    id: 'admission_refresh_ms',
    label: 'Telemetry refresh of admission',
    group: 'policy',
    unit: 'ms',
    min: 0,
    max: 60_000,
    default: 0,
    help: 'How old the telemetry may be on which admission decides; what it let in meanwhile it knows. 0: always fresh.',
  },
];

/** The spec's admission with one of the policies, from the values of `admissionParameters`. Throws InputError. */
export function admissionOf(policy: string, values: ParameterValues, slo: SloSpec): AdmissionSpec {
  const kind = findAdmission(policy);
  if (kind === undefined) throw new InputError(`admission: no policy "${policy}"`);
  const reserved = tiers.reduce((sum, { name }) => sum + number(values, `${name}_reserved`), 0);
  if (reserved > 1 + 1e-9) {
    throw new InputError(
      `parameters premium_reserved, standard_reserved, free_reserved: ${reserved.toFixed(2)} in all, expected at most 1`,
    );
  }
  if (tiers.every(({ name }) => number(values, `${name}_share`) === 0)) {
    throw new InputError('parameters premium_share, standard_share, free_share: all 0, expected one above 0');
  }
  const own = text(values, 'tier_objectives') === 'published';
  const deadline = number(values, 'deadline_factor');
  const most = number(values, 'retries');
  const refresh = number(values, 'admission_refresh_ms');
  return {
    policy,
    parameters: {
      ...Object.fromEntries(kind.parameters.map((p) => [p.id, values[p.id] ?? p.default])),
      ...(refresh > 0 ? { telemetry_refresh_ms: refresh } : {}),
    },
    tiers: tiers.map(({ name, ttft, tpot }): TierSpec => {
      const ttftMs = (slo.ttft_ms ?? 1000) * (own ? ttft : 1);
      return {
        name,
        ...(own ? { ttft_ms: ttftMs, tpot_ms: (slo.tpot_ms ?? 50) * tpot } : {}),
        ...(policy === sloTiers.id ? { reserved: number(values, `${name}_reserved`) } : {}),
        ...(deadline > 0 ? { deadline_ms: deadline * ttftMs } : {}),
      };
    }),
    tier_mix: tiers.map(({ name }) => number(values, `${name}_share`)),
    ...(most > 0 ? { retries: { most, jitter: number(values, 'retry_jitter') } } : {}),
  };
}
