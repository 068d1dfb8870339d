import { CandidateLists } from '../../routing/candidates.ts';
import { numberOf } from '../../routing/router.ts';
import type { NumberParameter } from '../../run/parameter.ts';
import type { Ns, Tokens } from '../../units.ts';
import type { AdmissionContext } from './admission.ts';

export const decodeTimeParameter: NumberParameter = {
  kind: 'number',
  id: 'decode_time_s',
  label: 'Decode time',
  group: 'policy',
  unit: 's',
  min: 0,
  max: 3600,
  default: 0,
  help: 'How long a request is taken to decode (Mooncake’s uniform t_d). 0: learned from the requests that have ended.',
};

/** Weight of the newest request, and what is assumed before the first one has ended. */
const alpha = 0.02;
const firstGuessTokens = 200;

/**
 * One decode time for all requests, since the length of an answer is not known beforehand. Learned from those that have ended, as a
 * mean over the first fifty and an exponentially weighted one after that.
 */
export class DecodeTime {
  ns: Ns;
  /** Output tokens of a request, likewise. */
  tokens: Tokens = firstGuessTokens;
  private readonly given: boolean;
  private readonly since = new Map<number, Ns>();
  private seen = 0;

  constructor({ cluster, parameters }: AdmissionContext) {
    const seconds = numberOf(parameters, decodeTimeParameter.id, 0);
    this.given = seconds > 0;
    const idlePass = cluster.profiledDecodeNs[new CandidateLists(cluster).decoders[0] ?? 0] ?? 0;
    this.ns = this.given ? seconds * 1e9 : firstGuessTokens * idlePass;
  }

  began(request: number, at: Ns): void {
    this.since.set(request, at);
  }

  /** When decoding began; undefined before the first token. */
  start(request: number): Ns | undefined {
    return this.since.get(request);
  }

  ended(request: number, at: Ns, generated: Tokens): void {
    const since = this.since.get(request);
    if (since === undefined) return;
    this.since.delete(request);
    this.seen++;
    const weight = Math.max(alpha, 1 / this.seen);
    this.tokens += weight * (generated - this.tokens);
    if (!this.given) this.ns += weight * (at - since - this.ns);
  }
}
