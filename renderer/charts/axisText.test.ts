import { expect, it } from 'vitest';
import { axisText } from './axisText.ts';

it.each([
  ['ttft_ms', 0, '0'],
  ['ttft_ms', 20, '20\u202fms'],
  ['ttft_ms', 1500, '1.5\u202fs'],
  ['busy', 0.5, '50\u202f%'],
  ['goodput_rps', 30, '30'],
  ['queue_depth', 1200, '1,200'],
] as const)('%s %d: %s', (metric, value, text) => {
  expect(axisText(metric, value)).toBe(text);
});
