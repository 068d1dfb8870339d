import type { LessonClaim } from './lessonClaims.ts';

const speculation = (
  variant: string,
  length: number | undefined,
  says: string,
  value: number,
): LessonClaim => ({
  target: 'ch15:speculative_decoding',
  says,
  variant,
  set: {
    rate_rps: 0.2,
    duration_s: 1500,
    ...(length === undefined ? {} : { draft_length: length }),
  },
  figure: 'tpot_ms.mean',
  value,
  within: 0.03,
  nightly: false,
});

const pools = (variant: string, says: string, figure: string, value: number): LessonClaim => ({
  target: 'ch17:prefill_decode_disagg',
  says,
  variant,
  set: {},
  figure,
  value,
  within: 0.02,
  nightly: true,
});

/** Every figure that was recreated. Those that take seconds are checked by the tests, the others by `npm run lessons`. */
export const lessonFigures: readonly LessonClaim[] = [
  speculation('baseline', undefined, 'mean TPOT falls from 6.2 ms', 6.2),
  speculation('fixed', 3, 'to 3.9 ms at K = 3', 3.9),
  speculation('fixed', 12, 'to 5.9 ms at K = 12', 5.9),
  pools('baseline', '| one pool | 2,366 ms | 63.3 ms | 602 ms | 63 % |', 'ttft_ms.p95', 2366),
  pools('baseline', '| one pool | 2,366 ms | 63.3 ms | 602 ms | 63 % |', 'tpot_ms.p95', 63.3),
  pools('baseline', '| one pool | 2,366 ms | 63.3 ms | 602 ms | 63 % |', 'good_share', 0.629),
  pools('optimized', '| 6 + 2 | 2,246 ms | 25.9 ms | 27 ms | 94 % |', 'ttft_ms.p95', 2246),
  pools('optimized', '| 6 + 2 | 2,246 ms | 25.9 ms | 27 ms | 94 % |', 'tpot_ms.p95', 25.9),
  pools('optimized', '| 6 + 2 | 2,246 ms | 25.9 ms | 27 ms | 94 % |', 'good_share', 0.941),
  pools('blocking_handoff', '| 6 + 2, blocking | 3,359 ms | 25.8 ms | 27 ms | 88 % |', 'ttft_ms.p95', 3359),
  pools('batched_handoff', '| 6 + 2, batched | 2,279 ms | 26.1 ms | 27 ms | 94 % |', 'ttft_ms.p95', 2279),
  pools('layerwise', '| 6 + 2, layer by layer | 2,399 ms | 25.0 ms | 26 ms | 94 % |', 'tpot_ms.p95', 25),
  pools(
    'tuned_pool',
    '| one pool, tuned to 512-token chunks | 3,042 ms | 36.2 ms | 55 ms | 88 % |',
    'tpot_ms.p95',
    36.2,
  ),
  pools(
    'tuned_pool',
    '| one pool, tuned to 512-token chunks | 3,042 ms | 36.2 ms | 55 ms | 88 % |',
    'good_share',
    0.877,
  ),
  pools('conditional', '| 6 + 2, conditional | 1,904 ms | 26.8 ms | 64 ms | 96 % |', 'ttft_ms.p95', 1904),
];
