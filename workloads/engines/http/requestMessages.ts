import type { Traffic } from '../../traffic/traffic.ts';
import { blockPrompt, type IdRange, idRangeOf, promptIds, promptText } from './prompts.ts';
import { dialectPaths, requestBody, requestBytes } from './requestBytes.ts';
import type { ServerLink } from './serverLink.ts';

/** The HTTP messages of one replicate. Its salt keeps the servers' prefix caches cold where a run or replicate begins. */
export class RequestMessages {
  private readonly traffic: Traffic;
  private readonly runSalt: number;
  private readonly replicate: number;
  private readonly ranges = new Map<ServerLink, IdRange>();

  constructor(traffic: Traffic, runSalt: number, replicate: number) {
    this.traffic = traffic;
    this.runSalt = runSalt;
    this.replicate = replicate;
  }

  of(r: number, link: ServerLink): Uint8Array {
    const { traffic, runSalt, replicate, salt } = this;
    const { abilities, dialect, model } = link;
    const requestId = `dyno-${runSalt.toString(36)}-${replicate}-${r}`;
    const session = traffic.session[r] ?? -1;
    const body = requestBody(
      dialect,
      {
        prompt: abilities.tokenIds
          ? promptIds(traffic, r, salt, this.rangeOf(link))
          : promptText(traffic, r, salt),
        maxTokens: Math.max(1, traffic.outputTokens[r] ?? 1),
        cacheSalt: `dyno-${runSalt.toString(36)}-${replicate}`,
        requestId,
        ...(model === undefined ? {} : { model }),
      },
      abilities,
    );
    return requestBytes(
      {
        path: `${link.base}${dialectPaths[dialect]}`,
        host: link.host,
        keepAlive: false,
        headers: {
          'x-request-id': requestId,
          ...(session >= 0 ? { 'x-session-affinity': `${session}` } : {}),
          ...link.headers,
        },
      },
      body,
    );
  }

  /** The tokens of whole blocks as they are sent to this server. */
  blocks(ids: Int32Array, from: number, to: number, link: ServerLink): Uint32Array {
    return blockPrompt(ids, from, to, this.traffic.blockTokens, this.salt, this.rangeOf(link));
  }

  /** Every run and replicate has prompts of its own, also where the server takes a cache salt beside. */
  private get salt(): number {
    return (Math.imul(this.runSalt, 0x9e3779b1) ^ this.replicate) >>> 0;
  }

  private rangeOf(link: ServerLink): IdRange {
    const known = this.ranges.get(link);
    if (known !== undefined) return known;
    const range = idRangeOf(link.report.vocabulary);
    this.ranges.set(link, range);
    return range;
  }
}
