import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { digestRun, valuesIn } from './bench/summaryHashes.ts';

/**
 * A handful of the fingerprints that `scripts/summaryHashes.mjs` makes of all targets, on the first 300 requests. Where a change is
 * meant to alter results, take the new ones from `node scripts/summaryHashes.mjs --limit 300`.
 */
const fingerprints = [
  [
    'labs/dynamic_router:dynamic_router',
    'optimized',
    'bd3f4d3252c6248811ae9d1520393da7cdafc2bd9e2c28797c49f405aa6d81a9',
    'a3df088f67581d3cc13d146ea4c7bef77ad20993387370628072975d1ae8ba0a',
  ],
  [
    'serving:scheduling',
    'sla_buckets',
    'c8d36ce79454d8857de7f13b544d9c226402187286338a8faf02e98f552bdf24',
    '209d784ee1cd4c144ad9cade51855ac9337f841e2d142e04c5f98accbbf094ce',
  ],
  [
    'serving:scheduling',
    'shortest_job',
    'bc8308b9014dd0ef71e1ebb795739bb5f33c070a73b5830880c9ba7fc2ce182d',
    'cb105eb405eb716713a63ed732a2398a36f9860a162af732d515c0de998567ec',
  ],
  [
    'ch15:speculative_decoding',
    'optimized',
    '6235f688d5674a4a164cba9114cd768669534f757261c250aa2a4d9779ed7676',
    '448784dbdfdf2fd87f9313ce5d8d334ede20e49c96a31b826890948c1d123343',
  ],
  [
    'ch15:kv_cache_management',
    'host_disk',
    'd60e6be0fbcb3c47de07faada3426e9a1f3db756fe8e564cbae22b74e861a41d',
    '9ad550846befe8826032763d7ce9f70b7f2d36bb5f8ed7c7ce14988f77e66d4e',
  ],
  [
    'ch17:early_rejection',
    'optimized',
    '4461830aaca8e9ba29bd2f1eff180587839979764d9da9c0fcd0c0f3da5d5aed',
    '9e5760b5f9322b63f051094f26ea64a92df1303932ad1cbc0370551b2acbd69d',
  ],
  [
    'ch17:prefill_decode_disagg',
    'optimized',
    '471c96e74782bd69b1f5898aca65cf80d94a22bcf18ce1f629637a02c14d954e',
    '27da0fcaebd7f5e4feba96bc5b5d90ce7ee8cbdbe5cd8781a9637ed6da95bf4f',
  ],
  [
    'serving:faults',
    'optimized',
    'ac4227ba45d1661dd224b7dc5fcfe0b20a9728c32561fcaa5b535fa481a4162c',
    '8a57f666c913746729547c4f326e03b7351f4f20acfb8990f40c0b2119ef571a',
  ],
  [
    'serving:autoscaling',
    'optimized',
    'cdf23a0407106ddbafa0277efbdd8d589f3ceb3c150bdca43760883b6b474bf9',
    '391caef4bc18b581f80f6d9b481887fd920d5b736c97966a2b7b59f756fac3ca',
  ],
  [
    'ch15:moe_overlap',
    'optimized',
    'f5e122587af1179dfc8fb0dac1dacf544849eee424a77c8004f5c0a7057ceb02',
    'd93cae6bd594c2140d3fc37f809bcb4ab501625affa132c06266403a9b66d61f',
  ],
  [
    'ch17:pipeline_parallelism',
    'optimized',
    '7f61053e00f7bb170c9e512a89d7e79888a18685cbd646a00e36580e8028bec9',
    '1d4edf00e1ea44fb1ffd9e7428be288e04cf75434bd8a48f97fe1bcbc2beb3ee',
  ],
] as const;

test.each(fingerprints)(
  '%s, %s: the same summary and the same rows as before',
  (target, variant, summary, tables) => {
    const ofSummary = createHash('sha256');
    const ofTables = createHash('sha256');
    digestRun({ name: '', target, variant }, 300, {
      summary: (text) => ofSummary.update(text),
      tables: (part) => ofTables.update(part),
    });
    expect({ summary: ofSummary.digest('hex'), tables: ofTables.digest('hex') }).toEqual({ summary, tables });
  },
);

test('a fingerprint holds values in order and no names', () => {
  expect(valuesIn({ schema: 1, a: [1, 'x'], b: { c: true } })).toEqual(
    valuesIn({ z: [1, 'x'], y: { w: true } }),
  );
  expect(valuesIn({ a: 1, b: 2 })).not.toEqual(valuesIn({ a: 2, b: 1 }));
});
