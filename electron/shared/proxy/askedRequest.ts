import { type LiveRequest, textPieces } from '../../../workloads/engines/http/servers/liveRouter.ts';
import { jsonObject, membersOf } from '../servers/shortRequest.ts';

export interface AskedRequest extends LiveRequest {
  readonly stream: boolean;
  readonly maxTokens?: number;
}

/** What a router may know of a request's body; undefined where it is no JSON object with a prompt. */
export function askedRequest(
  path: string,
  body: string,
  headers: Readonly<Record<string, string | string[] | undefined>>,
): AskedRequest | undefined {
  const json = jsonObject(body);
  if (json === undefined) return undefined;
  const prompt = path.includes('chat')
    ? json['messages']
    : (json['prompt'] ?? json['input_ids'] ?? json['text']);
  if (prompt === undefined || prompt === null) return undefined;
  const isIds = Array.isArray(prompt) && prompt.length > 0 && prompt.every((id) => typeof id === 'number');
  const pieces = isIds ? Int32Array.from(prompt) : textPieces(textOf(prompt));
  const header = headers['x-session-affinity'] ?? headers['x-correlation-id'];
  const session = json['session_id'] ?? json['user'] ?? (typeof header === 'string' ? header : undefined);
  const limit =
    json['max_completion_tokens'] ??
    json['max_tokens'] ??
    membersOf(json['sampling_params'])['max_new_tokens'];
  return {
    promptTokens: pieces.length,
    prompt: pieces,
    isText: !isIds,
    session: typeof session === 'string' && session !== '' ? session : undefined,
    stream: json['stream'] === true,
    ...(typeof limit === 'number' && limit > 0 ? { maxTokens: limit } : {}),
  };
}

/** The text of a prompt: a string, a list of strings, or chat messages in their order. */
function textOf(prompt: unknown): string {
  if (typeof prompt === 'string') return prompt;
  if (!Array.isArray(prompt)) return JSON.stringify(prompt) ?? '';
  return prompt
    .map((item: unknown) => {
      if (typeof item === 'string') return item;
      const { role, content } = membersOf(item);
      const text = typeof content === 'string' ? content : JSON.stringify(content ?? item);
      return `${typeof role === 'string' ? role : ''}\n${text}\n`;
    })
    .join('');
}
