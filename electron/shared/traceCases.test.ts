import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { absentInt32 } from '../../workloads/run/tables.ts';
import { readTrace } from '../../workloads/traffic/readTraffic.ts';
import { totals } from '../../workloads/traffic/shape.ts';
import type { TraceChoice } from '../../workloads/traffic/traces/intake.ts';
import type { Traffic } from '../../workloads/traffic/traffic.ts';
import { openBytes } from './openFile.ts';

const data = process.env['DYNO_DATA'] ?? '';
const folder = join(data, 'cases/traces');
const read = (file: string, choice?: TraceChoice): Promise<Traffic> =>
  readTrace(file, openBytes(join(folder, file)), choice);
const refusal = (file: string, choice?: TraceChoice): Promise<string> =>
  read(file, choice).then(
    () => 'read without complaint',
    (thrown: unknown) => (thrown instanceof Error ? thrown.message : String(thrown)),
  );
const rate = (traffic: Traffic): number => (traffic.requests - 1) / (totals(traffic).durationNs / 1e9);
const sessionsOf = (traffic: Traffic): number =>
  new Set([...traffic.session].filter((session) => session !== absentInt32)).size;

describe.skipIf(data === '' || !existsSync(folder))(
  'trace files as people have them (needs DYNO_DATA)',
  () => {
    it('seconds-no-hash.jsonl: Qwen-Bailian, 2.5 requests/s, turns of a chat are one session', async () => {
      const traffic = await read('seconds-no-hash.jsonl');
      expect(traffic.source).toMatchObject({ format: 'bailian', time_unit: 's' });
      expect(rate(traffic)).toBeCloseTo(39 / (15.479 - 0.072), 6);
      expect(traffic.session[4]).toBe(traffic.session[0]);
      expect(traffic.session[2]).toBe(traffic.session[1]);
      expect(traffic.session[3]).not.toBe(traffic.session[0]);
    });

    it('guidellm-seconds.jsonl: 5 requests/s, by its values, in blocks of 16', async () => {
      const traffic = await read('guidellm-seconds.jsonl');
      expect(traffic.source).toMatchObject({ time_unit: 's', block_tokens: 16 });
      expect(traffic.source?.findings.join()).toContain('times in s, by their values');
      expect(rate(traffic)).toBeCloseTo(5, 9);
    });

    it('epoch-us.jsonl: microseconds since 1970 are known by their size', async () => {
      const traffic = await read('epoch-us.jsonl');
      expect([...traffic.arrivalNs]).toEqual([0, 1e9, 2e9]);
      expect(traffic.source).toMatchObject({ time_unit: 'us', block_tokens: 512 });
    });

    it('blocks-of-16-seconds.jsonl and blocks-of-64.jsonl: the block size is found, the turns are kept', async () => {
      const bailian = await read('blocks-of-16-seconds.jsonl');
      expect(bailian).toMatchObject({ requests: 30, blockTokens: 16 });
      expect(bailian.source?.time_unit).toBe('s');
      expect(bailian.blockOffsets[1]).toBe(18);
      expect(bailian.session[4]).toBe(bailian.session[0]);
      const other = await read('blocks-of-64.jsonl');
      expect(other).toMatchObject({ requests: 8, blockTokens: 64 });
      expect(other.source?.findings.join()).toContain('blocks of 64 tokens, by their number');
    });

    it('paced-sessions-with-session_id.jsonl: 56 sessions, whose prompts hold the conversation', async () => {
      const traffic = await read('paced-sessions-with-session_id.jsonl');
      expect(sessionsOf(traffic)).toBe(56);
      expect(traffic.turns).toBeUndefined();
      expect(traffic.promptTokens[0]).toBe(1124);
    });

    it('session-delay.jsonl: the second turn follows the answer, 1.5 s later', async () => {
      const traffic = await read('session-delay.jsonl');
      expect([...traffic.promptTokens]).toEqual([700, 300, 1200]);
      expect([...(traffic.turns?.previous ?? [])]).toEqual([-1, -1, 0]);
      expect(traffic.turns?.thinkNs[2]).toBe(1.5e9);
      expect([...traffic.blockIds]).toEqual([0, 1, 2, 0, 1, 3]);
      expect(sessionsOf(traffic)).toBe(2);
    });

    it('no-output-length.jsonl: asks for one number', async () => {
      expect(await refusal('no-output-length.jsonl')).toBe(
        'no-output-length.jsonl:1: no output_length, expected a number of tokens; --output-tokens N gives one to requests without',
      );
      expect([...(await read('no-output-length.jsonl', { output_tokens: 64 })).outputTokens]).toEqual([64]);
    });

    it('floor-hash.jsonl: ids for whole blocks only', async () => {
      const traffic = await read('floor-hash.jsonl');
      expect(traffic.blockTokens).toBe(512);
      // 1300 -> 0, 1 and a tail of its own; 400 -> a tail alone; 1024 -> 0, 1
      expect([...traffic.blockIds]).toEqual([0, 1, 2, 3, 0, 1]);
    });

    it('aiperf-doc-655-3ids.jsonl: no block size explains it; it is read without prefixes where asked', async () => {
      expect(await refusal('aiperf-doc-655-3ids.jsonl')).toBe(
        'aiperf-doc-655-3ids.jsonl:2: 3 hash_ids for 655 tokens and 2 hash_ids for 672 tokens fit no block size, expected one id per block; --block-tokens N gives the size, --block-tokens 0 leaves the ids out',
      );
      expect(await read('aiperf-doc-655-3ids.jsonl', { block_tokens: 0 })).toMatchObject({
        requests: 2,
        blockTokens: 0,
      });
    });

    it('null-hash.jsonl: no prefixes', async () => {
      expect(await read('null-hash.jsonl')).toMatchObject({ requests: 2, blockTokens: 0 });
    });

    it('u64.jsonl and hex-string.jsonl: ids of 64 bits and strings keep their identity', async () => {
      expect([...(await read('u64.jsonl')).blockIds]).toEqual([0, 1, 1, 2]);
      expect([...(await read('hex-string.jsonl')).blockIds]).toEqual([0, 1]);
    });

    it('burstgpt.csv: failed requests are asked about, dropped and counted', async () => {
      expect(await refusal('burstgpt.csv')).toBe(
        'burstgpt.csv:5: Response tokens is 0, expected an integer from 1; --drop-empty leaves such requests out',
      );
      const traffic = await read('burstgpt.csv', { drop_empty: true });
      expect(traffic).toMatchObject({
        requests: 3,
        source: { format: 'burstgpt', rows: 5, dropped_empty: 2 },
      });
      expect([...traffic.arrivalNs]).toEqual([0, 40e9, 113e9]);
    });

    it('vidur.csv', async () => {
      const traffic = await read('vidur.csv');
      expect(traffic).toMatchObject({ requests: 199, source: { format: 'vidur', time_unit: 's' } });
      expect([...traffic.promptTokens].slice(0, 3)).toEqual([374, 396, 879]);
      expect(traffic.arrivalNs[1]).toBe(4_314_579_000);
    });

    it('multimodal.csv and .gz: extra columns, time zones, packed or not', async () => {
      const plain = await read('multimodal.csv', { drop_empty: true });
      expect([...plain.arrivalNs]).toEqual([0, 391e6]);
      expect([...plain.promptTokens]).toEqual([1210, 3405]);
      expect(plain.source).toMatchObject({ rows: 3, dropped_empty: 1 });
      expect({ ...(await read('multimodal.csv.gz', { drop_empty: true })), name: '' }).toEqual({
        ...plain,
        name: '',
      });
    });

    it('azure-float-tokens.csv, azure-pandas-index.csv, azure-zero-output.csv', async () => {
      for (const file of ['azure-float-tokens.csv', 'azure-pandas-index.csv'])
        expect([...(await read(file)).promptTokens]).toEqual([374, 396, 879]);
      expect(await refusal('azure-zero-output.csv')).toContain(':4: ContextTokens is 0');
      const traffic = await read('azure-zero-output.csv', { drop_empty: true });
      expect(traffic).toMatchObject({ requests: 2, source: { dropped_empty: 2 } });
    });

    it('one.jsonl and same-time.jsonl: no time passes', async () => {
      expect(totals(await read('one.jsonl')).durationNs).toBe(0);
      expect(totals(await read('same-time.jsonl'))).toMatchObject({ requests: 3, durationNs: 0 });
    });

    it('arrivals-below-1us.jsonl: millions of requests a second are asked about', async () => {
      expect(await refusal('arrivals-below-1us.jsonl')).toBe(
        'arrivals-below-1us.jsonl: 2.50e+6 requests/s if its times are in ms, 2500 in s, expected a rate of a serving system; --time-unit s|ms|us|ns says which unit it is',
      );
      const traffic = await read('arrivals-below-1us.jsonl', { time_unit: 'ms' });
      expect([...traffic.arrivalNs].slice(0, 3)).toEqual([0, 400, 800]);
    });
  },
);
