import { ActionIcon, Autocomplete, Button, Select, TextInput, Tooltip } from '@mantine/core';
import { IconPlus, IconStethoscope, IconX } from '@tabler/icons-react';
import { useEffect, useState } from 'react';
import { poolRole } from '../../../workloads/run/poolRole.ts';
import { type ServerFields, serverText } from '../../../workloads/run/serverAddress.ts';
import { errorOf } from '../../state/hostClient.ts';
import { newServer, serverOf } from '../../state/serverChoice.ts';
import { useWorkbench } from '../../state/workbench.ts';
import runStyles from './Run.module.css';
import { type Probe, ServerFindings } from './ServerFindings.tsx';
import styles from './ServersPanel.module.css';

interface ServersPanelProps {
  readonly servers: readonly ServerFields[] | undefined;
  readonly problem: string | undefined;
  readonly onChange: (servers: readonly ServerFields[]) => void;
}

const roles = [
  { value: 'mixed', label: 'prefill + decode' },
  { value: 'prefill', label: 'prefill' },
  { value: 'decode', label: 'decode' },
];

/** The servers of engine http, and what a probe of each found: the same probe as `dyno servers`. */
export function ServersPanel({ servers, problem, onChange }: ServersPanelProps) {
  const { client, settings } = useWorkbench();
  /** By the text of the server: another address or key has not been asked. */
  const [probes, setProbes] = useState<Readonly<Record<string, Probe>>>({});
  useEffect(() => {
    if (servers !== undefined) return;
    const last = settings.getState().servers;
    onChange(last.length > 0 ? last : [newServer]);
  }, [servers, settings, onChange]);
  const list = servers ?? [];
  const change = (next: readonly ServerFields[]): void => {
    onChange(next);
    settings.setState({ servers: next.filter(({ url }) => url.trim() !== '') });
  };
  const set = (at: number, fields: Partial<ServerFields>): void =>
    change(list.map((server, i) => (i === at ? { ...server, ...fields } : server)));

  const probe = async (fields: ServerFields, i: number): Promise<void> => {
    const server = serverOf(fields, i);
    if (typeof server === 'string') return;
    const note = (found: Probe): void => setProbes((all) => ({ ...all, [serverText(fields)]: found }));
    note({ state: 'asking' });
    try {
      note({ state: 'answered', report: await client.request('servers.probe', { server }) });
    } catch (thrown) {
      note({ state: 'failed', error: errorOf(thrown).message });
    }
  };
  const isAsking = list.some((fields) => probes[serverText(fields)]?.state === 'asking');
  const probeable = list.filter((fields, i) => typeof serverOf(fields, i) !== 'string');

  return (
    <section className={`${runStyles.group} ${runStyles.wide}`} data-testid="servers-panel">
      <div className={styles.head}>
        <h2>Servers</h2>
        <Tooltip
          multiline
          w={280}
          label="Asks each server for its models, health, metrics and KV events, and sends it two equal requests of two tokens."
        >
          <Button
            variant="default"
            size="compact-xs"
            leftSection={<IconStethoscope size={13} />}
            disabled={probeable.length === 0}
            loading={isAsking}
            onClick={() => {
              for (const [i, fields] of list.entries()) void probe(fields, i);
            }}
          >
            Probe
          </Button>
        </Tooltip>
      </div>
      <ol className={styles.servers}>
        {list.map((fields, i) => (
          <Server
            // biome-ignore lint/suspicious/noArrayIndexKey: a server has no identity but its place in the list.
            key={i}
            index={i}
            fields={fields}
            probe={probes[serverText(fields)]}
            isOnly={list.length === 1}
            onChange={(changed) => set(i, changed)}
            onRemove={() => change(list.filter((_, at) => at !== i))}
          />
        ))}
      </ol>
      <div className={styles.foot}>
        <Button
          variant="subtle"
          size="compact-xs"
          leftSection={<IconPlus size={13} />}
          onClick={() => change([...list, newServer])}
        >
          Add a server
        </Button>
        {problem !== undefined && (
          <span className={styles.problem} role="alert">
            {problem}
          </span>
        )}
      </div>
    </section>
  );
}

interface ServerProps {
  readonly index: number;
  readonly fields: ServerFields;
  readonly probe: Probe | undefined;
  readonly isOnly: boolean;
  readonly onChange: (fields: Partial<ServerFields>) => void;
  readonly onRemove: () => void;
}

function Server({ index, fields, probe, isOnly, onChange, onRemove }: ServerProps) {
  const models = probe?.state === 'answered' ? probe.report.models : [];
  const number = index + 1;
  const isWrong = fields.url.trim() !== '' && typeof serverOf(fields, index) === 'string';
  return (
    <li className={styles.server} data-testid={`server-${index}`}>
      <div className={styles.fields}>
        <TextInput
          className={styles.url ?? ''}
          label="URL"
          placeholder="http://127.0.0.1:8000"
          value={fields.url}
          error={isWrong}
          aria-label={`URL of server ${number}`}
          onChange={({ currentTarget }) => onChange({ url: currentTarget.value })}
        />
        <Select
          label="Role"
          data={roles}
          value={fields.role}
          allowDeselect={false}
          aria-label={`Role of server ${number}`}
          onChange={(role) => onChange({ role: poolRole.parse(role) })}
        />
        <TextInput
          label="Name"
          placeholder={`server${index}`}
          value={fields.name}
          aria-label={`Name of server ${number}`}
          onChange={({ currentTarget }) => onChange({ name: currentTarget.value })}
        />
        <Autocomplete
          label="Model"
          placeholder={models[0] ?? 'the first it lists'}
          data={[...models]}
          value={fields.model}
          aria-label={`Model of server ${number}`}
          onChange={(model) => onChange({ model })}
        />
        <TextInput
          label="KV events"
          placeholder="tcp://HOST:PORT"
          value={fields.kvEvents}
          aria-label={`KV events of server ${number}`}
          onChange={({ currentTarget }) => onChange({ kvEvents: currentTarget.value })}
        />
        <Tooltip label="The environment variable that holds the key; the key itself is written nowhere.">
          <TextInput
            label="Key variable"
            placeholder="none"
            value={fields.keyEnv}
            aria-label={`Key variable of server ${number}`}
            onChange={({ currentTarget }) => onChange({ keyEnv: currentTarget.value })}
          />
        </Tooltip>
        <ActionIcon
          className={styles.remove ?? ''}
          size={24}
          variant="subtle"
          color="gray"
          disabled={isOnly}
          aria-label={`Remove server ${number}`}
          onClick={onRemove}
        >
          <IconX size={14} />
        </ActionIcon>
      </div>
      <ServerFindings probe={probe} />
    </li>
  );
}
