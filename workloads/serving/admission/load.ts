import { CandidateLists } from '../../routing/candidates.ts';
import { decodePassNs, ownPrefillNs, sloTpotNs, sloTtftNs, waitNs } from '../../routing/estimate.ts';
import type { ClusterView, Telemetry, VisibleRequest } from '../../routing/router.ts';
import type { Fraction, Ns, Tokens } from '../../units.ts';

/**
 * Load as Mooncake measures it: not in requests, but as the share of an objective that is used up (FAST'25 §7; arXiv
 * 2407.00079 §7.2). 1 means that the objective is only just met.
 *
 *   prefill   time until a prompt that arrives now would begin ÷ TTFT objective
 *   decode    the scarcest of three: decode pass ÷ TPOT objective · KV blocks in use ÷ KV blocks · sequences ÷ most sequences
 *
 * The paper's decode load is the first of the three; memory and batch size bind earlier on GPUs that are fast for their memory.
 */
export class PoolLoads {
  private readonly lists: CandidateLists;
  private readonly cluster: ClusterView;
  private readonly ttftNs: Ns;
  private readonly tpotNs: Ns;

  constructor(cluster: ClusterView) {
    this.cluster = cluster;
    this.lists = new CandidateLists(cluster);
    this.ttftNs = sloTtftNs(cluster);
    this.tpotNs = sloTpotNs(cluster);
  }

  /** The instances that serve now. */
  get prompts(): Int32Array {
    return this.lists.prompts;
  }
  get decoders(): Int32Array {
    return this.lists.decoders;
  }

  /** Of one instance. */
  prefillOf(telemetry: Telemetry, i: number): Fraction {
    return waitNs(this.cluster, telemetry, i) / this.ttftNs;
  }

  /** Of one instance. */
  decodeOf(telemetry: Telemetry, i: number): Fraction {
    const sequences = telemetry.decoding[i] ?? 0;
    if (sequences === 0) return (telemetry.kvUsed[i] ?? 0) / (telemetry.kvTotal[i] ?? 1);
    return Math.max(
      decodePassNs(this.cluster, telemetry, i, 0, 0) / this.tpotNs,
      (telemetry.kvUsed[i] ?? 0) / (telemetry.kvTotal[i] ?? 1),
      sequences / this.cluster.maxSequences,
    );
  }

  /** Mean over the instances that decode. */
  decode(telemetry: Telemetry): Fraction {
    const { decoders } = this;
    let sum = 0;
    for (let k = 0; k < decoders.length; k++) sum += this.decodeOf(telemetry, decoders[k] ?? 0);
    return sum / decoders.length;
  }

  /** As if so many sequences with so much context between them were spread evenly over the decoding instances. */
  decodeWith(telemetry: Telemetry, sequences: number, context: Tokens): Fraction {
    const { cluster, decoders } = this;
    if (sequences <= 0) return 0;
    const each = sequences / decoders.length;
    const own = context / decoders.length;
    let sum = 0;
    for (let k = 0; k < decoders.length; k++) {
      const i = decoders[k] ?? 0;
      const pass =
        (cluster.profiledDecodeNs[i] ?? 0) +
        (cluster.profiledPerSequenceNs[i] ?? 0) * Math.max(0, each - 1) +
        (cluster.profiledPerContextNs[i] ?? 0) * own;
      sum += Math.max(
        pass / this.tpotNs,
        own / cluster.blockTokens / (telemetry.kvTotal[i] ?? 1),
        each / cluster.maxSequences,
      );
    }
    return sum / decoders.length;
  }

  /** Least estimated time to the first token over the instances that may compute the prompt. */
  ttftNsOf(request: VisibleRequest, telemetry: Telemetry): Ns {
    const { cluster, prompts } = this;
    let least = Number.POSITIVE_INFINITY;
    for (let k = 0; k < prompts.length; k++) {
      const i = prompts[k] ?? 0;
      const ttft = waitNs(cluster, telemetry, i) + ownPrefillNs(cluster, telemetry, request, i);
      if (ttft < least) least = ttft;
    }
    return least;
  }
}
