import { clientErrors } from '../../metrics/clientErrors.ts';
import { distribution } from '../../metrics/percentile.ts';
import type { Sketch } from '../../metrics/sketch.ts';
import type { ClientSummary, ServerSummary } from '../../run/clientSummary.ts';
import type { Distribution, Summary } from '../../run/summary.ts';
import type { RequestRecords } from './requestRecords.ts';
import type { SelfTest } from './selfTest.ts';
import type { OpenedReceiver } from './serverLink.ts';
import type { GroupCounts, ServerReplica } from './serverReplica.ts';

export interface ClientFacts {
  readonly records: RequestRecords;
  readonly opened: OpenedReceiver;
  readonly counts: GroupCounts;
  readonly chunkMs: Sketch;
  readonly tested: SelfTest | undefined;
  readonly loop: { readonly delayP99Ms: number; readonly utilisation: number };
  readonly replicas: readonly ServerReplica[];
  readonly badUtf8Events: number;
  readonly longestLeadNs: number;
  readonly summary: Summary;
}

/** How the client itself did, and what to doubt about the run. */
export function clientSummary(facts: ClientFacts): ClientSummary {
  const { records, opened, counts, tested, loop, replicas } = facts;
  const status = opened.receiver.status();
  const scheduleDelay = between(records, records.due, records.started, false);
  const serverTtft: number[] = [];
  const beyond: number[] = [];
  for (const [row, { serverTimes }] of records.notes) {
    if (serverTimes?.ttft === undefined || records.outcomeOf(row) !== 'ok') continue;
    const mine = ((records.firstToken[row] ?? Number.NaN) - (records.due[row] ?? Number.NaN)) / 1e6;
    serverTtft.push(serverTimes.ttft);
    beyond.push(mine - serverTimes.ttft);
  }
  let events = 0;
  let coalesced = 0;
  let retries = 0;
  for (let row = 0; row < records.count; row++) {
    events += records.events[row] ?? 0;
    coalesced += records.coalesced[row] ?? 0;
    retries += records.connectionRetries[row] ?? 0;
  }
  const share = events > 0 ? coalesced / events : undefined;
  const measured: Omit<ClientSummary, 'doubts'> = {
    receiver: status.kind,
    stamps: opened.stamps,
    ...(opened.reason === undefined ? {} : { receiver_reason: opened.reason }),
    ...(tested === undefined
      ? {}
      : {
          self_test: {
            streams: tested.streams,
            events_per_s: tested.eventsPerSecond,
            ttft_error_p99_ms: tested.ttftErrorP99,
            itl_error_p99_ms: tested.itlErrorP99,
          },
        }),
    decision_lead_ms: facts.longestLeadNs / 1e6,
    ...known('schedule_delay_ms', scheduleDelay),
    ...known('connect_ms', between(records, records.started, records.connected, false)),
    ...known('headers_ms', between(records, records.due, records.headers)),
    ...known('first_content_ms', between(records, records.due, records.firstContent)),
    ...known('inter_chunk_ms', facts.chunkMs.distribution()),
    ...known('server_ttft_ms', distribution(serverTtft)),
    ...known('beyond_server_ms', distribution(beyond)),
    ...(share === undefined ? {} : { coalesced_share: share }),
    ...(Number.isFinite(loop.delayP99Ms) ? { event_loop_delay_p99_ms: loop.delayP99Ms } : {}),
    ...(Number.isFinite(loop.utilisation) ? { event_loop_utilisation: loop.utilisation } : {}),
    connection_retries: retries,
    failed_tokens: counts.failedTokens,
    length_mismatches: counts.lengthMismatches,
    prompt_mismatches: counts.promptMismatches,
    failures: Object.fromEntries([...counts.failures].sort((a, b) => b[1] - a[1])),
    servers: serverSummaries(replicas, records),
  };
  return { ...measured, doubts: doubtsOf(facts, measured) };
}

const known = <K extends string>(
  key: K,
  value: Distribution | undefined,
): { readonly [key in K]?: Distribution } =>
  value === undefined ? {} : ({ [key]: value } as { readonly [key in K]: Distribution });

/** Of successful requests, ms; of all that got so far where `okOnly` is false. */
function between(
  records: RequestRecords,
  from: Float64Array,
  to: Float64Array,
  okOnly = true,
): Distribution | undefined {
  const values = new Float64Array(records.count);
  for (let row = 0; row < records.count; row++)
    values[row] =
      okOnly && records.outcomeOf(row) !== 'ok'
        ? Number.NaN
        : ((to[row] ?? Number.NaN) - (from[row] ?? Number.NaN)) / 1e6;
  return distribution(values);
}

/** What to doubt, in at most two lines: about the client itself, and about the answers. */
function doubtsOf(facts: ClientFacts, measured: Omit<ClientSummary, 'doubts'>): string[] {
  const { opened, counts, summary, replicas } = facts;
  const of = clientErrors(measured, summary.metrics).flatMap(({ doubt }) => doubt ?? []);
  const status = opened.receiver.status();
  if (status.stalls > 0)
    of.push(`its buffer was full ${status.stalls} times, servers were slowed down by it`);
  if (status.clockSteps > 0) of.push('the system clock was set during the run');
  const doubts: string[] = [];
  if (counts.lengthMismatches > 0)
    doubts.push(`${counts.lengthMismatches} answers were longer or shorter than asked for`);
  if (counts.promptMismatches > 0)
    doubts.push(
      `${counts.promptMismatches} prompts had another length on the server than in the traffic (text, not token ids)`,
    );
  if (facts.badUtf8Events > 0) doubts.push(`${facts.badUtf8Events} events held bytes that are no UTF-8`);
  const silent = replicas.filter(({ hitRate, outstanding }) => Number.isNaN(hitRate) && outstanding === 0);
  if (silent.length === replicas.length && summary.requests.completed > 0)
    doubts.push('no server reports cached tokens, so a warm prefix cache would not show');
  return [
    ...(of.length === 0 ? [] : [`client: ${of.join('; ')}`]),
    ...(doubts.length === 0 ? [] : [`answers: ${doubts.join('; ')}`]),
  ];
}

/** By server, over all replicates. */
function serverSummaries(replicas: readonly ServerReplica[], records: RequestRecords): ServerSummary[] {
  const rules = new Map<number, Set<string>>();
  for (let row = 0; row < records.count; row++) {
    if (records.events[row] === 0) continue;
    const server = records.server[row] ?? -1;
    const seen = rules.get(server) ?? new Set<string>();
    seen.add(records.tokenRuleOf(row));
    rules.set(server, seen);
  }
  const byIndex = new Map<number, ServerReplica[]>();
  for (const replica of replicas)
    byIndex.set(replica.index, [...(byIndex.get(replica.index) ?? []), replica]);
  return [...byIndex].flatMap(([index, all]): ServerSummary[] => {
    const last = all.at(-1);
    if (last === undefined) return [];
    const { link, prefixes } = last;
    const { rate } = prefixes.misprediction;
    const hits = all.map(({ hitRate }) => hitRate).filter((value) => !Number.isNaN(value));
    return [
      {
        name: link.instance.name,
        url: link.instance.url,
        ...(link.report.dialect === undefined ? {} : { dialect: link.report.dialect }),
        token_rule: [...(rules.get(index) ?? [])].join(', '),
        prompts: link.abilities.tokenIds ? 'token ids' : 'text',
        cold_cache: link.abilities.cacheSalt ? 'cache_salt' : 'other prompts in each run',
        ...(hits.length === 0 ? {} : { hit_rate: hits.reduce((sum, value) => sum + value, 0) / hits.length }),
        ...(Number.isNaN(rate) ? {} : { misprediction_rate: rate }),
        prefix_source: prefixes.source,
      },
    ];
  });
}
