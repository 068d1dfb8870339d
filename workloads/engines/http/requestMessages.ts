import type { Traffic } from '../../traffic/traffic.ts';
import { type IdRange, idRangeOf, promptIds, promptText } from './prompts.ts';
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
    const { traffic, runSalt, replicate } = this;
    const { abilities, dialect, model } = link;
    // Where the server takes a salt of its own the prompts are the same in each run, else they differ.
    const salt = abilities.cacheSalt ? replicate : (Math.imul(runSalt, 0x9e3779b1) ^ replicate) >>> 0;
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

  private rangeOf(link: ServerLink): IdRange {
    const known = this.ranges.get(link);
    if (known !== undefined) return known;
    const range = idRangeOf(link.report.vocabulary);
    this.ranges.set(link, range);
    return range;
  }
}
