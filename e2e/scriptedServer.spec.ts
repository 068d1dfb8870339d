// The scripted server itself: what the tests of the client rely on. Read with plain sockets, not with our client.
import { connect } from 'node:net';
import { expect, test } from '@playwright/test';
import { PairDesk } from './support/scriptedServer/pairDesk.ts';
import { type ServerScript, startScriptedServer } from './support/scriptedServer/scriptedServer.ts';

interface Ending {
  readonly text: string;
  readonly bytes: Buffer;
  readonly how: 'end' | 'reset';
}

/** One request on a connection of its own; reads until the server closes, or until `until` is seen. */
function ask(port: number, path: string, body: unknown, headers = '', until = '0\r\n\r\n'): Promise<Ending> {
  const json = JSON.stringify(body);
  const socket = connect(port, '127.0.0.1');
  socket.write(
    `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n${headers}Content-Length: ${Buffer.byteLength(json)}\r\n\r\n${json}`,
  );
  const parts: Buffer[] = [];
  return new Promise((resolve) => {
    const done = (how: Ending['how']) => {
      const bytes = Buffer.concat(parts);
      socket.destroy();
      resolve({ bytes, text: bytes.toString(), how });
    };
    socket.on('data', (part: Buffer) => {
      parts.push(part);
      if (Buffer.concat(parts).includes(until)) done('end');
    });
    socket.on('end', () => done('end'));
    socket.on('error', () => done('reset'));
  });
}

const completion = (more: object = {}) => ({ prompt: [5, 6, 7], max_tokens: 3, stream: true, ...more });

async function withServer(
  script: Partial<ServerScript>,
  body: (port: number) => Promise<void>,
): Promise<void> {
  const server = await startScriptedServer(script);
  try {
    await body(server.port);
  } finally {
    await server.close();
  }
}

/** The JSON of each event, comments and [DONE] as text. */
const events = (text: string): string[] =>
  text
    .slice(text.indexOf('\r\n\r\n') + 4)
    .replaceAll(/(?:^|(?<=\n))[0-9a-f]+\r\n/g, '')
    .split(/\r?\n\r?\n/)
    .map((event) => event.replaceAll(/^data: ?/gm, '').trim())
    .filter((event) => event !== '' && event !== '0');

test('a plain stream: one event per token, usage where asked, [DONE]', () =>
  withServer({ dialect: 'vllm' }, async (port) => {
    const { text } = await ask(
      port,
      '/v1/completions',
      completion({ stream_options: { include_usage: true } }),
    );
    const got = events(text);
    expect(got.map((event) => /"text":"([^"]*)"/.exec(event)?.[1] ?? event.slice(0, 6))).toEqual([
      ...[' w000', ' w001', ' w002', ''],
      ...[expect.stringContaining('{"id"'), '[DONE]'],
    ]);
    expect(got.at(-2)).toContain('"prompt_tokens":3,"completion_tokens":3');
  }));

test('framing: CRLF, several tokens per event, pings, role first, reasoning, tool call', () =>
  withServer(
    {
      framing: {
        ...{ lineEnd: '\r\n', spaceAfterColon: false, tokensPerEvent: 2, pingEvery: 2, earlyRole: true },
        ...{ reasoningTokens: 2, toolCall: true, emptyEvents: 1, dataLines: 3 },
      },
    },
    async (port) => {
      const { text } = await ask(port, '/v1/chat/completions', {
        ...{ messages: [{ role: 'user', content: 'hi' }], max_tokens: 4, stream: true },
      });
      expect(text).toContain('data:{"id"');
      expect(text).toContain(': ping\r\n\r\n');
      const joined = events(text).join('\n');
      expect(joined.indexOf('"role":"assistant"')).toBeLessThan(joined.indexOf('"reasoning":" w000 w001"'));
      expect(joined.indexOf('"reasoning":" w000 w001"')).toBeLessThan(
        joined.indexOf('"arguments":" w002 w003"'),
      );
    },
  ));

test('a character is torn between two events, and no byte is lost', () =>
  withServer({ framing: { splitUtf8: true, tokenText: () => ' é' } }, async (port) => {
    const { bytes } = await ask(port, '/v1/completions', completion());
    const texts = [...bytes.toString('latin1').matchAll(/"text":"([^"]*)"/g)].map((match) => match[1] ?? '');
    expect(texts[0]).toBe(' \u00c3');
    expect(Buffer.from(texts.join(''), 'latin1').toString()).toBe(' é é é');
  }));

test('failures: each leaves its mark on the wire', async () => {
  const after = 1;
  const endings: Record<string, Ending> = {};
  const faults = [
    { kind: 'error_event', after, done: true },
    { kind: 'no_finish', after, done: false },
    { kind: 'cut', after },
    { kind: 'reset', after },
    { kind: 'status', status: 429, retryAfter: 7 },
    { kind: 'status', status: 503, retryAfter: new Date(0) },
  ] as const;
  for (const fault of faults)
    await withServer({ fault: () => fault }, async (port) => {
      const until = fault.kind === 'status' ? '"type"' : '0\r\n\r\n';
      endings[`${fault.kind} ${'status' in fault ? fault.status : ''}`.trim()] = await ask(
        ...([port, '/v1/completions', completion(), '', until] as const),
      );
    });
  expect(events(endings['error_event']?.text ?? '').slice(-2)).toEqual([
    expect.stringContaining('"error":{"message":"the engine died"'),
    '[DONE]',
  ]);
  expect(endings['no_finish']?.text).toMatch(/w000[\s\S]*\r\n0\r\n\r\n$/);
  expect(endings['no_finish']?.text).not.toContain('[DONE]');
  expect(endings['cut']?.text).not.toContain('\r\n0\r\n\r\n');
  expect(endings['reset']?.how).toBe('reset');
  expect(endings['status 429']?.text).toContain('retry-after: 7');
  expect(endings['status 503']?.text).toContain('retry-after: Thu, 01 Jan 1970 00:00:00 GMT');
});

test('one slot is a queue: each request starts when the one before ends, on planned times', async () => {
  const server = await startScriptedServer({
    cost: { maxConcurrent: 1, serviceMs: () => 8, itlMs: 1 },
  });
  await Promise.all(
    [0, 1, 2, 3].map(() => ask(server.port, '/v1/completions', completion({ max_tokens: 1 }))),
  );
  let free = 0;
  for (const { times } of server.served) {
    expect(times.scheduledMs).toBe(Math.max(times.receivedMs, free));
    expect(times.firstMs - times.scheduledMs).toBeCloseTo(8, 6);
    free = times.firstMs;
  }
  await server.close();
});

test('a prefix is found again, a client that leaves frees its slot', async () => {
  const server = await startScriptedServer({ blockTokens: 16, cost: { maxConcurrent: 1, itlMs: 50 } });
  const prompt = Array.from({ length: 40 }, (_, i) => i);
  await ask(server.port, '/v1/completions', completion({ prompt, max_tokens: 1 }));
  await ask(server.port, '/v1/completions', completion({ prompt, max_tokens: 500 }), '', 'w000');
  await expect.poll(() => server.counters().running).toBe(0);
  expect(server.served.map(({ cachedTokens, outcome }) => [cachedTokens, outcome])).toEqual([
    [0, 'done'],
    [32, 'aborted'],
  ]);
  await server.close();
});

test('both hand-shakes of prefill and decode', async () => {
  const pair = new PairDesk();
  const p = await startScriptedServer({ pair, cost: { overheadMs: 30 } });
  const d = await startScriptedServer({ pair, cost: { overheadMs: 30, transferMs: 1 } });
  const id = 'X-Request-Id: r-1\r\n';
  const first = await ask(
    ...([
      p.port,
      '/v1/completions',
      { prompt: [1, 2, 3], max_tokens: 1, kv_transfer_params: { do_remote_decode: true } },
      id,
      '"remote_request_id":',
    ] as const),
  );
  const params = JSON.parse(/"kv_transfer_params":(\{.*?\})\}$/.exec(first.text)?.[1] ?? '{}');
  const wrong = await ask(
    d.port,
    '/v1/completions',
    completion({ kv_transfer_params: params }),
    '',
    '"type"',
  );
  expect(wrong.text).toContain('X-Request-Id differs');
  const right = await ask(d.port, '/v1/completions', completion({ kv_transfer_params: params }), id);
  expect(right.text).toContain('[DONE]');
  const times = d.served[0]?.times;
  expect((times?.firstMs ?? 0) - (times?.scheduledMs ?? 0)).toBeCloseTo(1, 6);
  expect(pair.completed).toBe(1);
  for (const server of [p, d]) await server.close();

  const room = new PairDesk();
  const [sp, sd] = [
    await startScriptedServer({ dialect: 'sglang', pair: room, cost: { overheadMs: 40 } }),
    await startScriptedServer({ dialect: 'sglang', pair: room }),
  ];
  room.prefillHosts.add(`127.0.0.1:${sp.port}`);
  const body = completion({ bootstrap_host: '127.0.0.1', bootstrap_port: 1, bootstrap_room: 42 });
  await Promise.all([ask(sp.port, '/v1/completions', body), ask(sd.port, '/v1/completions', body)]);
  expect(sd.served[0]?.times.firstMs).toBeGreaterThanOrEqual((sp.served[0]?.times.firstMs ?? 0) - 1);
  for (const server of [sp, sd]) await server.close();
});
