import type { HostTime } from '../../run/engine.ts';
import type { Traffic } from '../../traffic/traffic.ts';
import type { Ms } from '../../units.ts';
import { HttpClient } from './httpClient.ts';
import { Lateness } from './lateness.ts';
import { requestBytes } from './requestBytes.ts';
import type { HttpHost } from './serverLink.ts';

export interface SelfTest {
  readonly streams: number;
  readonly eventsPerSecond: number;
  readonly ttftErrorP99: Ms;
  readonly itlErrorP99: Ms;
}

const gapUs = 20_000;
const tokens = 40;
/** The first tokens of each stream meet cold code. */
const warmUp = 5;
const longestNs = 10e9;

/** Streams at 20 ms per token that make as many events per second as the traffic's busiest second asks for. */
export function plannedStreams(traffic: Traffic): number {
  const perSecond = new Map<number, number>();
  for (let r = 0; r < traffic.requests; r++) {
    const second = Math.floor((traffic.arrivalNs[r] ?? 0) / 1e9);
    perSecond.set(second, (perSecond.get(second) ?? 0) + (traffic.outputTokens[r] ?? 0));
  }
  const busiest = Math.max(1, ...perSecond.values());
  return Math.min(1024, Math.max(8, Math.ceil((busiest * gapUs) / 1e6)));
}

/**
 * Measures this client against a stamped server on this machine at the planned rate of events: what it adds to TTFT and ITL
 * is the error bar of the run. About a second; undefined where no stamped server can be started, or it does not end.
 */
export async function selfTest(
  host: HttpHost,
  time: HostTime,
  tls: boolean,
  traffic: Traffic,
): Promise<SelfTest | undefined> {
  const ruler = host.ruler(time);
  if (ruler === undefined) return undefined;
  const streams = plannedStreams(traffic);
  const late = new Lateness(warmUp);
  let over = 0;
  const opened = host.receiver(time, tls, () => {
    client.poll();
    if (over === streams) time.wake();
  });
  const client = new HttpClient(opened.receiver, [ruler.address], {
    tokens: (row, at, _, written) => late.add(row, at, written + ruler.offsetNs),
    over: () => over++,
  });
  try {
    const path = `/v1/completions?k=${tokens}&gap=${gapUs}&mode=stagger&wait=50000`;
    const message = requestBytes({ path, host: '127.0.0.1', keepAlive: false }, '{}');
    const now = time.now();
    for (let i = 0; i < streams; i++) client.submit(0, message, now, now);
    const giveUp = now + longestNs;
    while (over < streams && time.now() < giveUp)
      await time.sleep(Math.min(giveUp, time.now() + 50e6), false);
  } finally {
    opened.receiver.close();
    ruler.stop();
  }
  const found = late.summary();
  if (found === undefined || over < streams) return undefined;
  return {
    streams,
    eventsPerSecond: Math.round((streams * 1e6) / gapUs),
    ttftErrorP99: found.firstP99 / 1e6,
    itlErrorP99: found.gapP99 / 1e6,
  };
}
