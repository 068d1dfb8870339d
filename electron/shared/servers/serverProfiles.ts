/** How a known inference server is started: its command line, and what the flags are for. */
export interface ServerProfile {
  readonly id: string;
  readonly title: string;
  /** Programs to look for on the PATH, in this order. */
  readonly programs: readonly string[];
  /** How to get it where none is found. */
  readonly hint: string;
  readonly args: (options: ServeSettings) => readonly string[];
  /** What its flags give a load generator. */
  readonly gives: string;
  readonly kvEvents: boolean;
  /** Started in the program's own folder: llama.cpp finds its back ends there. */
  readonly inProgramFolder?: true;
}

export interface ServeSettings {
  readonly program: string;
  readonly model: string;
  readonly host: string;
  readonly port: number;
  /** Requests that it runs at once; absent: its own default. */
  readonly slots?: number | undefined;
  /** Tokens of context; absent: its own default. */
  readonly context?: number | undefined;
  /** Port of its KV events; the replay is on the next one. Absent: none. */
  readonly kvPort?: number | undefined;
}

const optional = (flag: string, value: number | undefined): string[] =>
  value === undefined ? [] : [flag, String(value)];

const kvEvents = (port: number): string =>
  JSON.stringify({
    ...{ enable_kv_cache_events: true, publisher: 'zmq', endpoint: `tcp://*:${port}` },
    replay_endpoint: `tcp://*:${port + 1}`,
  });

export const serverProfiles: readonly ServerProfile[] = [
  {
    id: 'llama-server',
    title: 'llama.cpp',
    programs: ['llama-server'],
    hint: 'Install llama.cpp (llama-server) or name the program with --program.',
    args: ({ model, host, port, slots, context }) => [
      ...['-m', model, '--host', host, '--port', String(port), '--metrics', '--slots'],
      // -c is shared by the slots.
      ...[
        ...optional('-np', slots),
        ...optional('-c', context === undefined ? undefined : context * (slots ?? 1)),
      ],
    ],
    gives: 'metrics and slots; cached tokens and times come with each answer',
    kvEvents: false,
    inProgramFolder: true,
  },
  {
    id: 'vllm',
    title: 'vLLM',
    programs: ['vllm'],
    hint: 'Install vLLM (pip install vllm) or name the program with --program.',
    args: ({ model, host, port, slots, context, kvPort }) => [
      ...['serve', model, '--host', host, '--port', String(port), '--enable-prompt-tokens-details'],
      ...[...optional('--max-num-seqs', slots), ...optional('--max-model-len', context)],
      ...(kvPort === undefined ? [] : ['--kv-events-config', kvEvents(kvPort)]),
    ],
    gives: 'cached tokens of each prompt; KV events with --kv-port',
    kvEvents: true,
  },
  {
    id: 'sglang',
    title: 'SGLang',
    programs: ['python3', 'python'],
    hint: 'Install SGLang (pip install sglang) or name its python with --program.',
    args: ({ model, host, port, slots, context, kvPort }) => [
      ...['-m', 'sglang.launch_server', '--model-path', model, '--host', host, '--port', String(port)],
      ...['--enable-metrics', '--enable-cache-report'],
      ...[...optional('--max-running-requests', slots), ...optional('--context-length', context)],
      ...(kvPort === undefined ? [] : ['--kv-events-config', kvEvents(kvPort)]),
    ],
    gives: 'metrics, cached tokens of each prompt; KV events with --kv-port',
    kvEvents: true,
  },
];

export const findProfile = (id: string): ServerProfile | undefined =>
  serverProfiles.find((profile) => profile.id === id);
