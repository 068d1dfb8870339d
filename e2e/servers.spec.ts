// The server side of the http engine against the scripted server and llama.cpp's own: probe, metrics, KV events.
import { expect, test } from '@playwright/test';
import { KvSubscriber } from '../electron/shared/servers/kvSubscriber.ts';
import { MetricsPoller } from '../electron/shared/servers/metricsPoller.ts';
import { probeServer } from '../electron/shared/servers/probeServer.ts';
import { ask } from '../electron/shared/servers/shortRequest.ts';
import { ServerPrefixes } from '../workloads/engines/http/servers/serverPrefixes.ts';
import type { ServerReport } from '../workloads/engines/http/servers/serverReport.ts';
import { parseServer } from '../workloads/run/serverAddress.ts';
import { startLlama, whyNoLlama } from './support/llama/llamaPeer.ts';
import type { KvPublisherOptions } from './support/scriptedServer/kvPublisher.ts';
import { type ScriptedServer, startScriptedServer } from './support/scriptedServer/scriptedServer.ts';

const generate = (server: ScriptedServer, prompt: readonly number[]) =>
  ask(`${server.url}/v1/completions`, { json: { prompt, max_tokens: 1 } });

/** Prompts that share their first `shared` tokens. */
const prompts = (count: number, shared = 32, length = 64) =>
  Array.from({ length: count }, (_, n) =>
    Array.from({ length }, (_, i) => (i < shared ? 300 + i : 1000 * (n + 1) + i)),
  );

const states = ({ capabilities }: ServerReport) =>
  Object.fromEntries(capabilities.map(({ id, state }) => [id, state]));

test('a probe finds what a vLLM server tells, and which flag would give more', async () => {
  const rich = await startScriptedServer({ kvEvents: {}, perRequestMetrics: true });
  const plain = await startScriptedServer({ reportsCached: false });
  const found = await probeServer(parseServer(`${rich.url},kv-events=${rich.kv?.endpoint}`, 0), {
    generates: true,
  });
  expect(found).toMatchObject({
    ...{ reachable: true, dialect: 'vllm', models: ['scripted'], contextTokens: 32_768 },
    kvTokens: 16 * 4096,
  });
  expect(new Set(Object.values(states(found)))).toEqual(new Set(['yes']));
  const poor = await probeServer(parseServer(plain.url, 1), { generates: true });
  expect(states(poor)).toMatchObject({
    ...{ token_prompts: 'yes', exact_tokens: 'yes', cached_tokens: 'no', server_times: 'no' },
    ...{ kv_events: 'unknown', metrics: 'yes' },
  });
  expect(poor.capabilities.find(({ id }) => id === 'cached_tokens')?.remedy).toContain(
    '--enable-prompt-tokens-details',
  );
  for (const server of [rich, plain]) await server.close();
});

test('a probe says in one line why a server cannot be used', async () => {
  const locked = await startScriptedServer({ apiKey: 'secret' });
  const loading = await startScriptedServer({ dialect: 'llamacpp', loadingMs: 60_000 });
  const remark = async (text: string, env = {}) =>
    (await probeServer(parseServer(text, 0), { generates: false, env })).remark;
  expect(await remark(locked.url)).toContain('it wants an API key (401)');
  expect(await remark(`${locked.url},key-env=KEY`)).toContain('environment variable KEY is not set');
  expect(await remark(`${locked.url},key-env=KEY`, { KEY: 'secret' })).toBeUndefined();
  expect(await remark(loading.url)).toBe('not ready (503): Loading model');
  expect(await remark(`${locked.url},key-env=KEY,model=other`, { KEY: 'secret' })).toBe(
    'it does not list the model other, only scripted',
  );
  await locked.close();
  expect(await remark(locked.url)).toBe('nothing listens there (connection refused)');
  await loading.close();
});

test('a probe of llama.cpp itself', async () => {
  const why = whyNoLlama();
  test.skip(why !== undefined, why);
  const llama = await startLlama({ slots: 2, context: 8192 });
  try {
    const found = await probeServer(parseServer(llama.url, 0), { generates: true });
    expect(found).toMatchObject({
      ...{
        reachable: true,
        dialect: 'llamacpp',
        vocabulary: 512,
        slots: 2,
        contextTokens: 4096,
        kvTokens: 8192,
      },
    });
    expect(states(found)).toMatchObject({
      ...{ token_prompts: 'yes', exact_tokens: 'yes', cached_tokens: 'yes', server_times: 'yes' },
      ...{ metrics: 'yes', kv_events: 'no' },
    });
    expect(found.readings).toMatchObject({ running: 0, waiting: 0 });
    expect(found.readings?.kvUse).toBeNaN();
  } finally {
    await llama.close();
  }
});

test('metrics are polled with their age; what failed is said and the age goes on', async () => {
  const server = await startScriptedServer({ cost: { maxConcurrent: 1, itlMs: 20 } });
  const poller = new MetricsPoller({
    url: `${server.url}/metrics`,
    intervalMs: 30,
    nowMs: () => performance.now(),
  });
  expect(poller.ageMs).toBeNaN();
  const busy = [1, 2, 3].map(() =>
    ask(`${server.url}/v1/completions`, { json: { prompt: [1, 2, 3], max_tokens: 20 } }),
  );
  await expect.poll(() => poller.reading?.readings.waiting).toBe(2);
  expect(poller.reading?.readings.running).toBe(1);
  expect(poller.ageMs).toBeLessThan(5000);
  await Promise.all(busy);
  await server.close();
  await expect.poll(() => poller.failures).toBeGreaterThan(0);
  expect(poller.failure).toContain('connection refused');
  poller.stop();
});

/** A server with a subscriber that feeds a prefix index. */
async function watched(kvEvents: Partial<KvPublisherOptions>, withReplay = true, kvBlocks = 4096) {
  const server = await startScriptedServer({ kvEvents, kvBlocks });
  const index = new ServerPrefixes({ blockTokens: 16, capacity: kvBlocks });
  const seen = { lost: 0 };
  const subscriber = new KvSubscriber({
    endpoint: server.kv?.endpoint ?? '',
    replay: withReplay ? server.kv?.replay : undefined,
    topic: kvEvents.topic ?? '',
    onBatch: (batch) => index.batch(batch),
    onLost: () => {
      seen.lost += 1;
      index.eventsLost();
    },
    retryMs: 50,
  });
  await expect.poll(() => server.kv?.publisher.subscriptions).toBe(1);
  const close = async () => {
    subscriber.close();
    await server.close();
  };
  return { server, index, subscriber, seen, close };
}

for (const encoding of ['map', 'array'] as const)
  for (const hashes of ['unsigned', 'signed', 'bytes'] as const)
    test(`KV events as ${encoding}s with ${hashes} hashes: the index predicts what the server reports`, async () => {
      const { server, index, close } = await watched({ encoding, hashes, topic: 'kv-events' }, true, 10);
      for (const prompt of [...prompts(5), ...prompts(5)]) {
        await expect.poll(() => index.blocks).toBe(server.cache.used);
        const predicted = index.predict(prompt);
        await generate(server, prompt);
        expect(server.served.at(-1)?.cachedTokens).toBe(predicted);
        index.answered(prompt, predicted, server.served.at(-1)?.cachedTokens);
      }
      expect(index.misprediction).toMatchObject({ answers: 10, wrong: 0 });
      expect(index.source).toBe('events');
      await close();
    });

test('lost batches are replayed; without a replay what was known is given up', async () => {
  const lose = (sequence: number) => sequence === 1 || sequence === 2;
  const withReplay = await watched({ lose });
  for (const prompt of prompts(5)) await generate(withReplay.server, prompt);
  await expect.poll(() => withReplay.index.blocks).toBe(withReplay.server.cache.used);
  expect(withReplay.subscriber.status).toMatchObject({ gaps: 1, lost: 0 });
  expect(withReplay.subscriber.status.replayed).toBeGreaterThanOrEqual(2);
  expect(withReplay.seen.lost).toBe(0);
  await withReplay.close();

  const without = await watched({ lose }, false);
  for (const prompt of prompts(5)) await generate(without.server, prompt);
  await expect.poll(() => without.subscriber.status.batches).toBe(3);
  expect(without.subscriber.status).toMatchObject({ gaps: 1, lost: 2 });
  expect(without.seen.lost).toBe(1);
  await without.close();
});

test('a subscriber that joins late is told what the publisher still holds; a shorter buffer loses the rest', async () => {
  const server = await startScriptedServer({ kvEvents: { bufferSteps: 3 } });
  for (const prompt of prompts(6, 0)) await generate(server, prompt);
  const index = new ServerPrefixes({ blockTokens: 16, capacity: 4096 });
  const subscriber = new KvSubscriber({
    ...{ endpoint: server.kv?.endpoint ?? '', replay: server.kv?.replay, onLost: () => undefined },
    onBatch: (batch) => index.batch(batch),
  });
  await expect.poll(() => server.kv?.publisher.subscriptions).toBe(1);
  await generate(server, prompts(7, 0)[6] ?? []);
  // Batches 4, 5 (kept) and 6 (new), four blocks each.
  await expect.poll(() => index.blocks).toBe(12);
  subscriber.close();
  await server.close();
});

test('a restarted engine counts from 0: what was known of it goes', async () => {
  const { server, index, subscriber, seen, close } = await watched({});
  for (const prompt of prompts(3, 0)) await generate(server, prompt);
  await expect.poll(() => index.blocks).toBe(12);
  server.kv?.publisher.restart();
  await generate(server, prompts(4, 0)[3] ?? []);
  await expect.poll(() => subscriber.status.restarts).toBe(1);
  expect([seen.lost, index.blocks]).toEqual([1, 4]);
  await close();
});

test('a broken connection is opened again and the index rebuilt from the replay', async () => {
  const { server, index, subscriber, seen, close } = await watched({});
  for (const prompt of prompts(3, 0)) await generate(server, prompt);
  await expect.poll(() => index.blocks).toBe(12);
  server.kv?.publisher.disconnect();
  await expect.poll(() => seen.lost).toBe(1);
  expect(index.source).toBe('sent');
  await expect.poll(() => server.kv?.publisher.subscriptions).toBe(1);
  await generate(server, prompts(4, 0)[3] ?? []);
  await expect.poll(() => index.blocks).toBe(16);
  expect(subscriber.status.lost).toBe(0);
  await close();
});
