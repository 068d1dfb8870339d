import { fraction, gauge } from './metricKinds.ts';
import type { Metric } from './registry.ts';

/** What speculative decoding, early exit and guided decoding show. */
export const techniqueMetrics: readonly Metric[] = [
  gauge(
    'tokens_per_round',
    'Tokens per round',
    'tokens',
    'service',
    'quantity',
    'higher',
    'Tokens that a sequence gets per decoding pass: 1 without speculation',
  ),
  fraction(
    'draft_acceptance',
    'Draft acceptance',
    'service',
    'higher',
    'Drafted tokens that the target kept ÷ drafted tokens; falls with the draft length, since a round ends at the first miss',
  ),
  gauge(
    'draft_length',
    'Draft length',
    'tokens',
    'service',
    'quantity',
    'neutral',
    'Tokens drafted per sequence and decoding pass',
  ),
  fraction(
    'draft_time_share',
    'Draft time',
    'utilisation',
    'lower',
    'Time of drafting ÷ (drafting + verification)',
  ),
  fraction(
    'token_depth',
    'Depth of a token',
    'utilisation',
    'lower',
    'Mean share of the layers that a decoded token goes through before it leaves',
  ),
  fraction(
    'pass_depth',
    'Depth of a pass',
    'utilisation',
    'lower',
    'Mean share of the layers that a decoding pass runs: a batch goes as deep as its deepest token',
  ),
  fraction(
    'exit_agreement',
    'Agreement',
    'service',
    'higher',
    'Decoded tokens equal to the full model’s, given the same text before them ÷ decoded tokens (modelled)',
  ),
  gauge(
    'mask_ms',
    'Mask time',
    'ms',
    'utilisation',
    'duration',
    'lower',
    'CPU time to make one sequence’s grammar mask for one token',
  ),
  fraction(
    'mask_exposed_share',
    'Waiting for masks',
    'utilisation',
    'lower',
    'Time that passes wait for grammar masks, their copy and their kernel ÷ time of all passes',
  ),
];
