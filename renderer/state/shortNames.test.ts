import { expect, test } from 'vitest';
import { shortNames } from './shortNames.ts';

test('instances of one card are told apart by their number', () => {
  expect(shortNames(['h100-sxm-0', 'h100-sxm-1', 'h100-sxm-11'], 8)).toEqual({
    labels: ['0', '1', '11'],
    prefix: 'h100-sxm-',
  });
});

test('no number is split: 10 and 11 keep both digits', () => {
  expect(shortNames(['a-very-long-name-10', 'a-very-long-name-11'], 8).labels).toEqual(['10', '11']);
});

test('what fits stays whole, what does not keeps its end', () => {
  expect(shortNames(['gpu0.0', 'gpu1.0'], 8)).toEqual({ labels: ['gpu0.0', 'gpu1.0'], prefix: '' });
  expect(shortNames(['h100-sxm-0', 'small-model-7'], 8)).toEqual({
    labels: ['…0-sxm-0', '…model-7'],
    prefix: '',
  });
  expect(shortNames(['h100-sxm-prefill'], 8).labels).toEqual(['…prefill']);
});
