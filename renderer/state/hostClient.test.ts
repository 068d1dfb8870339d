import { describe, expect, it } from 'vitest';
import { errorOf, HostClient, HostFailure, type Port } from './hostClient.ts';

/** A port whose other end is the test. */
class TestPort implements Port {
  readonly sent: { readonly id: number; readonly method: string; readonly params: unknown }[] = [];
  private listener: (event: { readonly data: unknown }) => void = () => undefined;
  isClosed = false;
  postMessage(message: unknown) {
    this.sent.push(message as (typeof this.sent)[number]);
  }
  addEventListener(_type: 'message', listener: (event: { readonly data: unknown }) => void) {
    this.listener = listener;
  }
  start() {}
  close() {
    this.isClosed = true;
  }
  say(data: unknown) {
    this.listener({ data });
  }
}

describe('HostClient', () => {
  it('matches replies to requests, in any order', async () => {
    const [client, port] = [new HostClient(), new TestPort()];
    client.connect(port);
    const first = client.request('runs.list', {});
    const second = client.request('jobs.list', {});
    port.say({ id: port.sent[1]?.id, ok: true, result: { jobs: [] } });
    port.say({ id: port.sent[0]?.id, ok: false, error: { code: 'failed', message: 'no' } });
    await expect(second).resolves.toEqual({ jobs: [] });
    await expect(first).rejects.toBeInstanceOf(HostFailure);
  });

  it('sends what was asked before there was a port', () => {
    const [client, port] = [new HostClient(), new TestPort()];
    void client.request('runs.list', {});
    client.connect(port);
    expect(port.sent.map((request) => request.method)).toEqual(['runs.list']);
  });

  it('fails what is open when the host ends, and asks the next one', async () => {
    const [client, port, next] = [new HostClient(), new TestPort(), new TestPort()];
    client.connect(port);
    const open = client.request('runs.list', {});
    client.disconnect('the host process ended');
    await expect(open).rejects.toThrow('the host process ended');
    void client.request('jobs.list', {});
    client.connect(next);
    expect(next.sent.map((request) => request.method)).toEqual(['jobs.list']);
    expect(port.isClosed).toBe(true);
  });

  it('fails a request whose answer has another shape', async () => {
    const [client, port] = [new HostClient(), new TestPort()];
    client.connect(port);
    const list = client.request('runs.list', {});
    port.say({ id: port.sent[0]?.id, ok: true, result: { runs: [{ run: 7 }] } });
    await expect(list).rejects.toThrow('the answer of the host to runs.list was malformed');
  });

  it('acknowledges malformed frames, and tells of the first one', () => {
    const [client, port] = [new HostClient(), new TestPort()];
    client.connect(port);
    const told: string[] = [];
    client.onEvent((event) => {
      if (event.event === 'log') told.push(event.message);
    });
    for (const frame of [7, 8]) port.say({ event: 'frame', frame, run: 'r', keys: 'nonsense' });
    expect(port.sent.map(({ method, params }) => [method, params])).toEqual([
      ['live.ack', { frame: 7 }],
      ['live.ack', { frame: 8 }],
    ]);
    expect(told).toHaveLength(1);
    expect(told[0]).toContain('malformed');
  });

  it('does not send what does not fit the contract', async () => {
    const [client, port] = [new HostClient(), new TestPort()];
    client.connect(port);
    await expect(client.request('jobs.cancel', { job: 1 as never })).rejects.toMatchObject({
      error: { code: 'bad_input' },
    });
    expect(port.sent).toEqual([]);
  });

  it('lets pass only events that it knows', () => {
    const [client, port] = [new HostClient(), new TestPort()];
    const heard: string[] = [];
    client.connect(port);
    client.onEvent((event) => heard.push(event.event));
    for (const data of [null, { event: 'frame' }, { event: 'nonsense' }, { event: 'runs_changed' }])
      port.say(data);
    // The first message that fits no schema is logged.
    expect(heard).toEqual(['log', 'runs_changed']);
  });
});

it('makes an error of anything thrown', () => {
  expect(errorOf('x')).toEqual({ code: 'internal', message: 'x' });
  expect(errorOf(new HostFailure({ code: 'missing', message: 'm' }))).toEqual({
    code: 'missing',
    message: 'm',
  });
});
