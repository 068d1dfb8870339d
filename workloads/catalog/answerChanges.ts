import type { RunSpec } from '../run/spec.ts';
import type { Verification } from './target.ts';

/**
 * What of a simulated spec makes its answers others than the plain model's, in a phrase each, and by which model their share is known.
 * The simulator has no texts: requests that match in number and length do not say that their answers would be alike.
 */
export function answerChanges({ cluster, policy }: Pick<RunSpec, 'cluster' | 'policy'>): readonly string[] {
  const found: string[] = [];
  const { technique, kv } = cluster;
  if (technique?.kind === 'early_exit')
    found.push(
      `early exit: a share of the tokens differs, 1 − agreement, known from the parametric model of saturation and confidence alone`,
    );
  if (technique?.kind === 'speculation')
    found.push(
      'speculation: no answer differs if drafts are accepted by comparing or by rejection sampling, which is assumed and not modelled',
    );
  if (kv.quantisation !== undefined)
    found.push(
      `KV cache in ${kv.quantisation.bits} bits: how many answers differ is not modelled; no published share fits every model`,
    );
  const routings = new Set(
    cluster.instances.flatMap((instance) =>
      instance.serves === 'modelled' && instance.cost.kind === 'roofline' && instance.cost.moe !== undefined
        ? [instance.cost.moe]
        : [],
    ),
  );
  for (const { routing, capacity_factor } of routings) {
    if (routing === 'home_island')
      found.push(
        'home-island routing: every token is answered by other experts than the gate chose; all answers may differ',
      );
    else if (routing === 'limited')
      found.push(
        'node-limited routing: a model that was not trained with it answers otherwise; not modelled',
      );
    if (capacity_factor !== undefined)
      found.push(
        'expert capacity: dropped (token, expert) pairs change answers; their share is the drop rate',
      );
  }
  if (policy.complexity !== undefined)
    found.push(
      'models of several sizes: answers differ by the model; adequacy is a stand-in for their quality',
    );
  return [...new Set(found)];
}

/** A check of ids and lengths is no check of answers where a variant changes them. */
export function withAnswerChanges(verification: Verification, specs: readonly RunSpec[]): Verification {
  if (verification.status !== 'passed') return verification;
  const simulated = specs.filter(({ engine }) => engine === 'sim');
  const [first = [], ...others] = simulated.map(answerChanges);
  const changes = [...new Set([first, ...others].flat())].filter(
    (change) => !(simulated.length > 1 && [first, ...others].every((each) => each.includes(change))),
  );
  if (changes.length === 0) return verification;
  return {
    status: 'not_applicable',
    method: `${verification.method}. Answers are not verified: ${changes.join('; ')}`,
  };
}
