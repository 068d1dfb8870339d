import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseServer } from '../../../run/serverAddress.ts';
import { chainKeys } from './chainKeys.ts';
import { decodeKvBatch } from './kvEvents.ts';
import { KvSequence } from './kvSequence.ts';
import { Mispredictions } from './mispredictions.ts';
import { MsgpackError, unpack } from './msgpack.ts';
import { parsePrometheus } from './prometheus.ts';
import { SentPrefixes } from './sentPrefixes.ts';
import { ServerPrefixes } from './serverPrefixes.ts';
import { hitRateBetween, readingsOf } from './serverReadings.ts';

const bytes = (hex: string) => Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));

describe('metrics', () => {
  test('vLLM: engines are added up, fractions averaged, the block configuration is read from labels', () => {
    const page = [
      '# HELP vllm:num_requests_running Number of requests.',
      'vllm:num_requests_running{engine="0",model_name="m, \\"x\\"}"} 3.0',
      'vllm:num_requests_running{engine="1",model_name="m"} 4 1733000000000',
      'vllm:kv_cache_usage_perc{engine="0"} 0.5',
      'vllm:kv_cache_usage_perc{engine="1"} 0.25',
      'vllm:prefix_cache_queries_total{engine="0"} 1e3',
      'vllm:prefix_cache_hits_total{engine="0"} 250',
      'vllm:cache_config_info{block_size="16",engine="0",num_gpu_blocks="100"} 1.0',
      'vllm:cache_config_info{block_size="16",engine="1",num_gpu_blocks="100"} 1.0',
      'broken{a="b 1',
    ].join('\n');
    const readings = readingsOf(parsePrometheus(page));
    expect(readings).toMatchObject({ running: 7, kvUse: 0.375, kvBlocks: 200, blockTokens: 16 });
    // What the page does not name is not known, and not 0.
    expect(readings.waiting).toBeNaN();
    expect(hitRateBetween({ ...readings, prefixQueries: 0, prefixHits: 0 }, readings)).toBe(0.25);
  });

  test('llama.cpp, SGLang, Triton', () => {
    const of = (page: string) => readingsOf(parsePrometheus(page));
    expect(of('llamacpp:requests_processing 2\nllamacpp:requests_deferred 5')).toMatchObject({
      running: 2,
      waiting: 5,
    });
    expect(of('sglang:num_queue_reqs{tp_rank="0"} 9\nsglang:token_usage 0.5').waiting).toBe(9);
    expect(
      of(
        'nv_trt_llm_request_metrics{request_type="waiting"} 3\nnv_trt_llm_request_metrics{request_type="scheduled"} 8',
      ),
    ).toMatchObject({ waiting: 3, running: 8 });
    expect(of('other_name 1').running).toBeNaN();
  });
});

describe('MessagePack', () => {
  test('a hash beyond 2^53 stays exact, small numbers stay numbers', () => {
    // [15760518052499183552n, 5, -1, "é", nil, {"a": true}]
    const packed = bytes('96' + 'cfdab8b6cd6c1f9fc0' + '05' + 'ff' + 'a2c3a9' + 'c0' + '81a161c3');
    expect(unpack(packed)).toEqual([0xdab8b6cd6c1f9fc0n, 5, -1, 'é', null, new Map([['a', true]])]);
  });

  test('any bytes: a value or a MsgpackError, in bounded time', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (input) => {
        try {
          unpack(input);
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(MsgpackError);
        }
      }),
    );
    expect(() => unpack(bytes('ddffffffff'))).toThrow('an array of 4294967295 in too few bytes');
  });
});

describe('KV events', () => {
  test('a map and an array say the same; unknown types are counted', () => {
    // [1.5, [["BlockStored", [255], nil, [1,2], 2], {"type": "BlockRemoved", "block_hashes": [255]}, ["New"]], 0]
    const array = '95ab426c6f636b53746f726564' + '91ccff' + 'c0' + '920102' + '02';
    const map = '82a474797065ac426c6f636b52656d6f766564ac626c6f636b5f68617368657391ccff';
    const batch = decodeKvBatch(bytes(`93cb3ff8000000000000${`93${array}${map}91a34e6577`}00`));
    expect(batch).toMatchObject({
      timestampS: 1.5,
      rank: 0,
      ignored: 1,
      events: [
        { kind: 'stored', hashes: [255n], parent: undefined, tokens: [1, 2], blockTokens: 2 },
        { kind: 'removed', hashes: [255n] },
      ],
    });
  });

  test('a gap, a repeat, a restart', () => {
    const order = new KvSequence();
    for (const n of [0, 1, 2]) order.advance(n);
    expect(order.step(3)).toEqual({ kind: 'apply' });
    expect(order.step(6)).toEqual({ kind: 'gap', from: 3, to: 6 });
    expect(order.step(2)).toEqual({ kind: 'repeat' });
    expect(order.step(0)).toEqual({ kind: 'restarted' });
    order.skipTo(6);
    expect(order.lost).toBe(3);
  });
});

describe('what a server holds, judged by what was sent', () => {
  const prompt = (text: string) => Float64Array.from(text, (_, i) => hashed(text.slice(0, i + 1)));
  const hashed = (text: string) => [...text].reduce((h, c) => (h * 31 + c.charCodeAt(0)) % 1e9, 7);

  test('leaves go before roots, the least recently used first', () => {
    const tree = new SentPrefixes(4);
    tree.sent(prompt('AB'));
    tree.sent(prompt('AC'));
    tree.sent(prompt('AD'));
    expect(tree.match(prompt('AB'))).toBe(2);
    tree.sent(prompt('AE'));
    expect(['AB', 'AC', 'AD', 'AE'].map((text) => tree.match(prompt(text)))).toEqual([1, 2, 2, 2]);
  });

  test('an answer with fewer cached blocks cuts what was unreachable, and keeps the prompt itself', () => {
    const tree = new SentPrefixes(Number.POSITIVE_INFINITY);
    for (const text of ['ABC', 'ABD', 'AX', 'ABE']) tree.sent(prompt(text));
    tree.answered(prompt('ABE'), 1);
    expect(['ABC', 'ABD', 'AX', 'ABE'].map((text) => tree.match(prompt(text)))).toEqual([2, 2, 2, 3]);
  });

  test('never more than its capacity, and a prompt just sent is found up to it', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(fc.array(letters), fc.integer({ min: 1, max: 12 }), (texts, capacity) => {
        const tree = new SentPrefixes(capacity);
        for (const text of texts) {
          tree.sent(prompt(text));
          expect(tree.size).toBeLessThanOrEqual(capacity);
          expect(tree.match(prompt(text))).toBe(Math.min(text.length, capacity));
        }
      }),
    );
  });
});

describe('prefix index of a server', () => {
  const tokens = Array.from({ length: 40 }, (_, i) => 1000 + i);

  test('equal prefixes have equal keys, and only those', () => {
    const a = chainKeys([1, 2, 3, 4, 5, 6], 2);
    const b = chainKeys([1, 2, 3, 4, 9, 6, 7], 2);
    expect([a[0] === b[0], a[1] === b[1], a[2] === b[2]]).toEqual([true, true, false]);
    expect(chainKeys([3, 4], 2)[0]).not.toBe(a[1]);
  });

  test('sent, corrected by an answer, and overruled by events', () => {
    const index = new ServerPrefixes({ blockTokens: 16, capacity: 100 });
    expect(index.predict(tokens)).toBe(0);
    index.sent(tokens);
    expect(index.predict(tokens)).toBe(32);
    index.answered(tokens, 32, 0);
    expect(index.misprediction).toMatchObject({ answers: 1, wrong: 1, meanError: -32 });
    // Answers that do not tell teach nothing.
    index.answered(tokens, 32, undefined);
    expect(index.misprediction.answers).toBe(1);
    const stored = {
      ...{ kind: 'stored' as const, hashes: [1n, 2n, 3n], parent: undefined, tokens: tokens.slice(0, 12) },
      ...{ blockTokens: 4, scope: { medium: 'GPU', group: 0, attention: 'full_attention' } },
    };
    index.batch({ timestampS: 0, rank: 0, events: [stored], ignored: 0 });
    expect([index.source, index.predict(tokens)]).toEqual(['events', 12]);
    index.batch({
      ...{ timestampS: 0, rank: 0, ignored: 0 },
      events: [{ kind: 'removed', hashes: [3n], scope: stored.scope }],
    });
    expect(index.predict(tokens)).toBe(8);
    index.eventsLost();
    expect([index.source, index.predict(tokens)]).toEqual(['sent', 32]);
  });

  test('a block behind an unknown parent is not placed', () => {
    const index = new ServerPrefixes({ blockTokens: 4, capacity: 100 });
    const scope = { medium: undefined, group: undefined, attention: undefined };
    index.batch({
      ...{ timestampS: 0, rank: 0, ignored: 0 },
      events: [{ kind: 'stored', hashes: [9n], parent: 8n, tokens: [5, 6, 7, 8], blockTokens: 4, scope }],
    });
    expect([index.orphans, index.predict([5, 6, 7, 8, 9])]).toEqual([1, 0]);
  });

  test('one token recomputed is no misprediction', () => {
    const errors = new Mispredictions();
    errors.add(32, 31, 16);
    errors.add(32, 0, 16);
    expect(errors.value).toMatchObject({ answers: 2, wrong: 1, rate: 0.5 });
  });
});

describe('--server', () => {
  test('a URL with options', () => {
    expect(
      parseServer('http://10.0.0.1:8000/v1/,role=decode,model=llama,kv-events=tcp://10.0.0.1:5557', 1),
    ).toMatchObject({
      ...{ name: 'server1', pool: 'decode', serves: 'server', url: 'http://10.0.0.1:8000' },
      ...{ served_model: 'llama', kv_events: 'tcp://10.0.0.1:5557' },
    });
    expect(parseServer('127.0.0.1:8080', 0).url).toBe('http://127.0.0.1:8080');
  });

  test.each([
    ['ftp://x', '--server ftp://x: "ftp://x" is no URL, expected http://HOST:PORT'],
    ['http://x:1,role=both', 'role=both, expected prefill, decode, mixed'],
    ['http://x:1,colour=red', '"colour=red", expected role=…'],
    ['http://x:1,kv-events=5557', 'kv-events=5557, expected tcp://HOST:PORT'],
  ])('%s is refused', (text, message) => {
    expect(() => parseServer(text, 0)).toThrow(message);
  });
});
