import { describe, expect, test } from 'vitest';
import { runSpecOn, tinySpec, tinyTraffic } from '../engines/sim/tinyRun.ts';
import { runSpec } from '../run/spec.ts';
import { IterationShape } from './costModel.ts';
import { HostedCost } from './hostedCost.ts';
import { LinearCost } from './linearCost.ts';

/** A GPU pass of 1 ms + 1 µs per context token. */
const gpu = new LinearCost({
  kind: 'linear',
  base_us: 1000,
  prefill_us_per_token: 0,
  prefill_us_per_pair: 0,
  decode_us_per_sequence: 0,
  decode_us_per_context_token: 1,
});
const line = { baseNs: 0, perContextTokenNs: 0 };

const decoding = (sequences: number, context: number): IterationShape => {
  const shape = new IterationShape();
  shape.decodeSequences = sequences;
  shape.decodeContextTokens = context;
  return shape;
};

describe('host work of 400 µs per pass and 100 µs per sequence', () => {
  const host = { us_per_pass: 400, us_per_sequence: 100 };

  test('in turn is added, overlapped the longer one counts', () => {
    const inTurn = new HostedCost(gpu, { ...host, overlapped: false });
    const overlapped = new HostedCost(gpu, { ...host, overlapped: true });
    expect(inTurn.iterationNs(decoding(8, 500))).toBe(1_500_000 + 1_200_000);
    expect(overlapped.iterationNs(decoding(8, 500))).toBe(1_500_000);
    expect(overlapped.iterationNs(decoding(20, 500))).toBe(2_400_000);
  });

  test('a prompt counts as a sequence', () => {
    const shape = decoding(2, 0);
    shape.prefillTokens = 50;
    shape.prefillPairs = 0;
    shape.prefillSequences = 3;
    expect(new HostedCost(gpu, { ...host, overlapped: false }).iterationNs(shape)).toBe(1_900_000);
  });

  test('the line of passes is given only where it does not bend, and agrees with single passes', () => {
    const overlapped = new HostedCost(gpu, { ...host, overlapped: true });
    expect(overlapped.decodeLine(4, line)).toBe(true);
    expect(line.baseNs + line.perContextTokenNs * 700).toBe(overlapped.iterationNs(decoding(4, 700)));
    expect(overlapped.decodeLine(20, line)).toBe(false);
    const inTurn = new HostedCost(gpu, { ...host, overlapped: false });
    expect(inTurn.decodeLine(20, line)).toBe(true);
    expect(line.baseNs + line.perContextTokenNs * 700).toBe(inTurn.iterationNs(decoding(20, 700)));
  });
});

test('no host work is no host work: the same rows as without it', () => {
  const run = (host: object | undefined) => {
    const tiny = tinySpec({});
    const spec = runSpec.parse({
      ...tiny,
      cluster: {
        ...tiny.cluster,
        scheduler: { ...tiny.cluster.scheduler, ...(host === undefined ? {} : { host }) },
      },
    });
    const traffic = tinyTraffic([
      { at: 0, prompt: 200, output: 30 },
      { at: 90, prompt: 70, output: 12 },
    ]);
    return runSpecOn(spec, traffic).sink.table('requests');
  };
  expect(run({ us_per_pass: 0, us_per_sequence: 0, overlapped: true })).toEqual(run(undefined));
  expect(run({ us_per_pass: 0, us_per_sequence: 0, overlapped: false })).toEqual(run(undefined));
  expect(run({ us_per_pass: 500, us_per_sequence: 0, overlapped: false })).not.toEqual(run(undefined));
});
