import { closedForm } from '../../../workloads/queueing/closedForms.ts';
import type { QueueResult } from '../../../workloads/queueing/queueBench.ts';
import {
  checkQueue,
  parseArrivals,
  parseClasses,
  parseDiscipline,
  parseService,
  type QueueSpec,
} from '../../../workloads/queueing/queueSpec.ts';
import type { QueueCurve, QueuePoint, QueueQuestion } from '../../contract/queueLab.ts';

/** One queue at several loads, beside what queueing theory says. Throws InputError. */
export async function queueCurve(
  question: QueueQuestion,
  ask: (specs: readonly QueueSpec[]) => Promise<readonly QueueResult[]>,
): Promise<QueueCurve> {
  const { arrivals, service, servers, discipline, rhos, n, seed, capacity, classes } = question;
  const specs = rhos.map(
    (rho): QueueSpec => ({
      arrivals: parseArrivals(arrivals),
      service: parseService(service),
      servers,
      discipline: parseDiscipline(discipline),
      rho,
      n,
      seed,
      ...(capacity === undefined ? {} : { capacity }),
      ...(classes === undefined ? {} : { classes: parseClasses(classes) }),
    }),
  );
  for (const spec of specs) checkQueue(spec);
  const results = await ask(specs);
  return {
    points: specs.flatMap((spec, i): QueuePoint[] => {
      const result = results[i];
      if (result === undefined) return [];
      const exact = closedForm(spec);
      return [{ rho: spec.rho, result, ...(exact === undefined ? {} : { exact }) }];
    }),
  };
}
