import { InputError } from './inputError.ts';
import { type ServerInstance, serverInstance } from './instanceSpec.ts';
import type { PoolRole } from './poolRole.ts';

const options = ['role', 'model', 'name', 'kv-events', 'metrics', 'dialect', 'key-env', 'kv-blocks'] as const;
type Option = (typeof options)[number];

const dialects = ['vllm', 'sglang', 'trtllm', 'llamacpp', 'dynamo', 'openai'];
const roles = ['prefill', 'decode', 'mixed'];

/**
 * `--server URL[,role=prefill|decode|mixed][,model=…][,name=…][,kv-events=tcp://…][,metrics=URL][,dialect=…][,key-env=VAR]
 * [,kv-blocks=N]` as an instance of the cluster. InputError says which part is wrong.
 */
export function parseServer(text: string, index: number): ServerInstance {
  const [address = '', ...rest] = text.split(',');
  const fail = (found: string, expected: string): never => {
    throw new InputError(`--server ${text}: ${found}, expected ${expected}`);
  };
  const url = httpUrl(address.trim());
  if (url === undefined) return fail(`"${address}" is no URL`, 'http://HOST:PORT');
  const given = new Map<Option, string>();
  for (const part of rest) {
    const equals = part.indexOf('=');
    const name = part.slice(0, Math.max(0, equals)).trim();
    const known = options.find((option) => option === name);
    if (known === undefined || equals < 0) return fail(`"${part}"`, options.map((o) => `${o}=…`).join(', '));
    given.set(known, part.slice(equals + 1).trim());
  }
  const role = given.get('role') ?? 'mixed';
  const dialect = given.get('dialect');
  const blocks = given.get('kv-blocks');
  const events = given.get('kv-events');
  const metrics = given.get('metrics');
  if (!roles.includes(role)) return fail(`role=${role}`, roles.join(', '));
  if (dialect !== undefined && !dialects.includes(dialect))
    return fail(`dialect=${dialect}`, dialects.join(', '));
  if (blocks !== undefined && !/^[1-9]\d*$/.test(blocks))
    return fail(`kv-blocks=${blocks}`, 'a number from 1');
  if (events !== undefined && !/^tcp:\/\/[^/\s]+:\d+$/.test(events))
    return fail(`kv-events=${events}`, 'tcp://HOST:PORT');
  if (metrics !== undefined && httpUrl(metrics) === undefined) return fail(`metrics=${metrics}`, 'a URL');
  const keyName = given.get('key-env');
  if (keyName !== undefined && !/^[A-Za-z_][A-Za-z0-9_]*$/.test(keyName))
    return fail(`key-env=${keyName}`, 'the name of an environment variable');
  const model = given.get('model');
  return serverInstance.parse({
    name: given.get('name') ?? `server${index}`,
    pool: role,
    serves: 'server',
    url,
    ...(model === undefined ? {} : { served_model: model }),
    ...(keyName === undefined ? {} : { api_key_env: keyName }),
    ...(dialect === undefined ? {} : { dialect }),
    ...(events === undefined ? {} : { kv_events: events }),
    ...(metrics === undefined ? {} : { metrics: httpUrl(metrics) }),
    ...(blocks === undefined ? {} : { kv_blocks: Number(blocks) }),
  });
}

/** A server as it is typed into a form; empty fields are left out. */
export interface ServerFields {
  readonly url: string;
  readonly role: PoolRole;
  readonly name: string;
  readonly model: string;
  readonly kvEvents: string;
  readonly keyEnv: string;
}

/** The text that `parseServer` reads. */
export function serverText({ url, role, name, model, kvEvents, keyEnv }: ServerFields): string {
  const given = { role: role === 'mixed' ? '' : role, name, model, 'kv-events': kvEvents, 'key-env': keyEnv };
  const parts = Object.entries(given).flatMap(([key, value]) =>
    value.trim() === '' ? [] : [`${key}=${value.trim()}`],
  );
  return [url.trim(), ...parts].join(',');
}

/** The URL without a trailing slash and without the `/v1` that many tools want; undefined where it is none. */
function httpUrl(text: string): string | undefined {
  const whole = /^https?:\/\//.test(text)
    ? text
    : /^[\w.[\]:-]+:\d+(?:\/.*)?$/.test(text)
      ? `http://${text}`
      : '';
  if (!/^https?:\/\/(?:[\w.-]+|\[[0-9a-fA-F:]+\])(?::\d{1,5})?(?:\/\S*)?$/.test(whole)) return undefined;
  return whole.replace(/\/+$/, '').replace(/\/v1$/, '');
}
