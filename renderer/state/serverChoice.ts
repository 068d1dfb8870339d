import { InputError } from '../../workloads/run/inputError.ts';
import type { ServerInstance } from '../../workloads/run/instanceSpec.ts';
import { parseServer, type ServerFields, serverText } from '../../workloads/run/serverAddress.ts';

export const newServer: ServerFields = {
  url: '',
  role: 'mixed',
  name: '',
  model: '',
  kvEvents: '',
  keyEnv: '',
};

/** The server that the fields name, or what is wrong with them in one sentence. */
export function serverOf(fields: ServerFields, index: number): ServerInstance | string {
  if (fields.url.trim() === '') return 'a URL was expected, e.g. http://127.0.0.1:8000';
  const text = serverText(fields);
  try {
    return parseServer(text, index);
  } catch (thrown) {
    if (thrown instanceof InputError) return thrown.message.replace(`--server ${text}: `, '');
    throw thrown;
  }
}

/** What is wrong with the list of servers; null where it can serve. */
export function serversProblem(servers: readonly ServerFields[]): string | null {
  if (servers.length === 0) return 'at least one server was expected';
  const found = servers.map(serverOf);
  const wrong = found.find((server) => typeof server === 'string');
  if (wrong !== undefined) return wrong;
  const names = found.flatMap((server) => (typeof server === 'string' ? [] : [server.name]));
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  return twice === undefined ? null : `two servers are named ${twice}, names of their own were expected`;
}
