import type { ServiceSpec } from '../run/costSpec.ts';
import { type Random, stream } from '../run/random.ts';
import type { Ms, Ns } from '../units.ts';
import {
  type CostModel,
  type DecodeLine,
  type IterationShape,
  type IterationWork,
  wholeNs,
} from './costModel.ts';

export function drawService(service: ServiceSpec, random: Random): Ms {
  switch (service.kind) {
    case 'deterministic':
      return service.mean_ms;
    case 'exponential':
      return random.exponential(service.mean_ms);
    case 'hyperexponential':
      return random.exponential(random.uniform() < service.short_share ? service.short_ms : service.long_ms);
    case 'lognormal': {
      const variance = Math.log(1 + service.cv * service.cv);
      return service.mean_ms * Math.exp(Math.sqrt(variance) * random.gaussian() - variance / 2);
    }
    case 'gamma': {
      const shape = 1 / (service.cv * service.cv);
      return random.gamma(shape, service.mean_ms / shape);
    }
    default: {
      const never: never = service;
      return never;
    }
  }
}

/** Mean and mean square of a service time, ms and ms²: what M/G/1 needs to know of it. */
export function serviceMoments(service: ServiceSpec): { readonly mean: Ms; readonly square: number } {
  const of = (mean: number, squaredCv: number) => ({ mean, square: mean * mean * (1 + squaredCv) });
  switch (service.kind) {
    case 'deterministic':
      return of(service.mean_ms, 0);
    case 'exponential':
      return of(service.mean_ms, 1);
    case 'hyperexponential': {
      const { short_share: p, short_ms: a, long_ms: b } = service;
      return { mean: p * a + (1 - p) * b, square: 2 * (p * a * a + (1 - p) * b * b) };
    }
    case 'lognormal':
    case 'gamma':
      return of(service.mean_ms, service.cv * service.cv);
    default: {
      const never: never = service;
      return never;
    }
  }
}

/**
 * A server of queueing theory in place of a GPU: the pass that ends a request's prompt takes the request's own time, every other
 * pass a nanosecond. The time belongs to the request, so that every router and every cluster serves the same work.
 */
export class StochasticCost implements CostModel {
  readonly needsRequest = true;
  readonly peaks = undefined;
  private readonly service: ServiceSpec;
  private readonly random: Random;

  constructor(service: ServiceSpec, seed: number, replicate: number) {
    this.service = service;
    this.random = stream(seed, `service ${replicate}`);
  }

  serviceNs(request: number): Ns {
    return wholeNs(drawService(this.service, this.random.fork(String(request))) * 1e6);
  }

  iterationNs(shape: IterationShape): Ns {
    return shape.prefillEnds > 0 && shape.request >= 0 ? this.serviceNs(shape.request) : 1;
  }

  decodeLine(_sequences: number, line: DecodeLine): boolean {
    line.baseNs = 1;
    line.perContextTokenNs = 0;
    return true;
  }

  work(_shape: IterationShape, work: IterationWork): void {
    work.flops = 0;
    work.bytes = 0;
  }
}
