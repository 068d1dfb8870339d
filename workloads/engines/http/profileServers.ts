import type { Profile } from '../../cost/costModels.ts';
import type { HostTime } from '../../run/engine.ts';
import { absentInt32 } from '../../run/tables.ts';
import type { Traffic } from '../../traffic/traffic.ts';
import { HttpClient } from './httpClient.ts';
import { RequestMessages } from './requestMessages.ts';
import type { HttpHost, ServerLink } from './serverLink.ts';

const shortPrompt = 32;
const longPrompt = 1024;
const outputTokens = 24;
const together = 4;
const longestNs = 60e9;

/** Requests of the measurement: one to warm up, short alone, long alone, then some short ones at once. */
function steps(link: ServerLink): Traffic {
  const room = (link.report.contextTokens ?? longPrompt * 2) - outputTokens - 8;
  const long = Math.max(shortPrompt, Math.min(longPrompt, Math.floor(room / 2)));
  const prompts = [shortPrompt, shortPrompt, long, ...Array.from({ length: together }, () => shortPrompt)];
  const n = prompts.length;
  return {
    name: 'profile',
    requests: n,
    arrivalNs: new Float64Array(n),
    promptTokens: Int32Array.from(prompts),
    outputTokens: new Int32Array(n).fill(outputTokens),
    priority: new Uint8Array(n),
    session: new Int32Array(n).fill(absentInt32),
    blockTokens: 0,
    blockOffsets: new Int32Array(n + 1),
    blockIds: new Int32Array(0),
    uniqueBlocks: 0,
  };
}

/**
 * What an idle server takes, measured before the run with prompts of its own: routers estimate with it until they have seen
 * the server work. One server after the other, seven requests each; undefined where one of them failed.
 *
 *   short alone   ── prefill ──|·|·|·|      ITL at one sequence
 *   long alone    ── prefill ────────|·|·|  more prompt, more context: prefill rate, time per token of context
 *   four at once                            time per further sequence
 */
export async function profileServers(
  host: HttpHost,
  time: HostTime,
  tls: boolean,
  links: readonly ServerLink[],
): Promise<readonly (Profile | undefined)[]> {
  let over = 0;
  const opened = host.receiver(time, tls, () => {
    client.poll();
    time.wake();
  });
  const addresses = links.map(({ address }) => address);
  const listener = { tokens: () => undefined, over: () => void over++ };
  const client = new HttpClient(opened.receiver, addresses, listener);
  const { records } = client;
  const profiles: (Profile | undefined)[] = [];
  try {
    for (const [server, link] of links.entries()) {
      const traffic = steps(link);
      const messages = new RequestMessages(traffic, host.runSalt ^ 0x2545f491, server);
      const submit = (r: number): number => {
        const now = time.now();
        return client.submit(server, messages.of(r, link), now, now);
      };
      const finished = async (count: number): Promise<void> => {
        const giveUp = time.now() + longestNs;
        while (over < count && time.now() < giveUp) {
          await time.sleep(time.now() + 20e6, false);
          client.sweep(time.now());
        }
      };
      // The first request of a server meets cold code and cold memory: it is not counted.
      submit(0);
      await finished(over + 1);
      const short = submit(1);
      await finished(over + 1);
      const long = submit(2);
      await finished(over + 1);
      const begun = over;
      const many = Array.from({ length: together }, (_, i) => submit(3 + i));
      await finished(begun + together);
      const good = [short, long, ...many].every((row) => records.outcomeOf(row) === 'ok');
      const ttft = (row: number) => (records.firstToken[row] ?? 0) - (records.sent[row] ?? 0);
      const itl = (row: number) =>
        ((records.lastToken[row] ?? 0) - (records.firstToken[row] ?? 0)) /
        Math.max(1, (records.tokens[row] ?? 0) - 1);
      const more = (traffic.promptTokens[2] ?? 0) - shortPrompt;
      const slower = ttft(long) - ttft(short);
      const prefillRate =
        more > 0 && slower > 0.2 * ttft(long)
          ? (more / slower) * 1e9
          : ((traffic.promptTokens[2] ?? 0) / ttft(long)) * 1e9;
      const mean = many.reduce((sum, row) => sum + itl(row), 0) / together;
      profiles.push(
        good
          ? {
              prefillRate,
              decodeNs: itl(short),
              perSequenceNs: Math.max(0, (mean - itl(short)) / (together - 1)),
              perContextNs: more > 0 ? Math.max(0, (itl(long) - itl(short)) / more) : 0,
            }
          : undefined,
      );
    }
  } finally {
    opened.receiver.close();
  }
  return profiles;
}
