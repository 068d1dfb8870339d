import type { QueueSpec, ServiceLaw } from './queueSpec.ts';

/** What theory says of a queue's means, in units of the mean service time. */
export interface ClosedForm {
  readonly name: string;
  readonly wq: number;
  readonly w: number;
  /** Kingman's: close in heavy traffic, exact nowhere. */
  readonly isApproximation: boolean;
}

/** Squared coefficient of variation of a service law. */
function variation(law: ServiceLaw): number {
  switch (law.kind) {
    case 'exp':
      return 1;
    case 'det':
      return 0;
    case 'lognormal':
    case 'gamma':
      return law.cv * law.cv;
    case 'h2': {
      const mean = law.p * law.m1 + (1 - law.p) * law.m2;
      return (2 * (law.p * law.m1 * law.m1 + (1 - law.p) * law.m2 * law.m2)) / (mean * mean) - 1;
    }
    default: {
      const never: never = law;
      return never;
    }
  }
}

/** Probability that an arrival waits in M/M/c, by the recursion of Erlang B: nothing overflows. */
export function erlangC(servers: number, load: number): number {
  const offered = servers * load;
  let blocked = 1;
  for (let k = 1; k <= servers; k++) blocked = (offered * blocked) / (k + offered * blocked);
  return blocked / (1 - load * (1 - blocked));
}

/**
 * The mean wait and time in the system where a formula is known: M/M/c, M/G/1 (Pollaczek and Khinchine; FCFS and LIFO have the
 * same mean), M/G/1 processor sharing, M/G/1 priorities (Cobham), M/M/1/K; else Kingman's approximation for G/G/1 with the
 * extension of Allen and Cunneen to c servers. Undefined where none applies.
 */
export function closedForm(spec: QueueSpec): ClosedForm | undefined {
  const { arrivals, service, servers: c, discipline, rho, capacity, classes } = spec;
  if (arrivals.kind === 'trace') return undefined;
  const poisson = arrivals.kind === 'poisson';
  const exact = (name: string, wq: number): ClosedForm => ({ name, wq, w: wq + 1, isApproximation: false });
  const cs = variation(service);
  if (capacity !== undefined) {
    const usable = poisson && service.kind === 'exp' && c === 1 && classes === undefined;
    return usable && (discipline === 'fcfs' || discipline === 'lifo') ? lossQueue(rho, capacity) : undefined;
  }
  if (classes !== undefined) {
    if (!poisson || c !== 1) return undefined;
    if (discipline !== 'priority') return undefined;
    const mean = classes.reduce((sum, k) => sum + k.share * k.mean, 0);
    const loads = classes.map((k) => (rho * k.share * k.mean) / mean);
    const residual = classes.reduce(
      (sum, k) => sum + (rho * k.share * (k.mean / mean) * (k.mean / mean) * (1 + cs)) / 2,
      0,
    );
    let before = 0;
    let wq = 0;
    classes.forEach((k, i) => {
      const including = before + (loads[i] ?? 0);
      wq += (k.share * residual) / ((1 - before) * (1 - including));
      before = including;
    });
    return exact('M/G/1 with priorities (Cobham)', wq);
  }
  const orderBlind = discipline === 'fcfs' || discipline === 'lifo' || discipline === 'priority';
  if (discipline === 'ps')
    return poisson && c === 1 ? exact('M/G/1 processor sharing', rho / (1 - rho)) : undefined;
  if (!orderBlind) return undefined;
  if (poisson && service.kind === 'exp') {
    return exact(c === 1 ? 'M/M/1' : `M/M/${c} (Erlang C)`, erlangC(c, rho) / (c * (1 - rho)));
  }
  if (poisson && c === 1) return exact('M/G/1 (Pollaczek–Khinchine)', (rho * (1 + cs)) / (2 * (1 - rho)));
  const ca = arrivals.kind === 'gamma' ? arrivals.cv * arrivals.cv : poisson ? 1 : 0;
  const wq = ((ca + cs) / 2) * (erlangC(c, rho) / (c * (1 - rho)));
  return {
    name: c === 1 ? 'Kingman' : 'Allen–Cunneen',
    wq,
    w: wq + 1,
    isApproximation: true,
  };
}

/** M/M/1/K, of the arrivals that are let in. */
function lossQueue(load: number, most: number): ClosedForm {
  // p(n) ∝ load^n; means by the sums themselves, so that a load of 1 is no special case.
  let weight = 1;
  let total = 0;
  let jobs = 0;
  let lost = 0;
  for (let n = 0; n <= most; n++) {
    // Far above load 1 the weights grow without bound: their ratios are all that counts.
    if (weight > 1e200) {
      total /= weight;
      jobs /= weight;
      weight = 1;
    }
    total += weight;
    jobs += n * weight;
    lost = weight;
    weight *= load;
  }
  const w = jobs / total / (load * (1 - lost / total));
  return { name: `M/M/1/${most}`, wq: w - 1, w, isApproximation: false };
}
