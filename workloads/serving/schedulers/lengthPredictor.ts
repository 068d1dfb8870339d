import { stream } from '../../run/random.ts';
import type { Traffic } from '../../traffic/traffic.ts';

/**
 * Predicted output tokens of every request: the true length times a log-normal error, so that ln(predicted ÷ true) has
 * mean 0 and standard deviation `error`: at 0.5 two predictions in three are within a factor of 1.65. Seeded by the run and
 * the replicate, not by the scheduler: variants see the same predictions.
 */
export function predictedOutputs(
  traffic: Traffic,
  seed: number,
  replicate: number,
  error: number,
): Float64Array {
  const random = stream(seed, `predicted lengths ${replicate}`);
  const predicted = new Float64Array(traffic.requests);
  for (let r = 0; r < traffic.requests; r++) {
    predicted[r] = Math.max(1, (traffic.outputTokens[r] ?? 0) * Math.exp(error * random.gaussian()));
  }
  return predicted;
}
