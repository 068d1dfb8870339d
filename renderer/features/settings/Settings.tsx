import { Button, SegmentedControl } from '@mantine/core';
import { type ReactNode, useEffect, useState } from 'react';
import { useStore } from 'zustand';
import type { HostError } from '../../../electron/contract/hostError.ts';
import type { MachineSettings } from '../../../electron/contract/machine.ts';
import type { HostParams } from '../../../electron/contract/protocol.ts';
import { useTools } from '../../state/capturesStore.ts';
import { errorOf } from '../../state/hostClient.ts';
import { notifyError } from '../../state/notices.ts';
import type { Settings as WindowSettings } from '../../state/settings.ts';
import { useWorkbench } from '../../state/workbench.ts';
import { ErrorState } from '../../ui/EmptyState.tsx';
import styles from './Settings.module.css';

/** What the user chooses once: how the window looks, and where tools and runs are. */
export function Settings() {
  const workbench = useWorkbench();
  const { theme, density, palette } = useStore(workbench.settings);
  const change = (next: Partial<WindowSettings>) => workbench.settings.setState(next);
  const machine = useMachineSettings();
  return (
    <div className={styles.settings} data-testid="settings">
      <h1>Settings</h1>
      <section className={styles.group} aria-label="Appearance">
        <h2>Appearance</h2>
        <Choice
          label="Theme"
          value={theme}
          options={{ dark: 'Dark', light: 'Light', system: 'As the system' }}
          onChange={(value) => change({ theme: value })}
        />
        <Choice
          label="Density"
          value={density}
          options={{ comfortable: 'Comfortable', compact: 'Compact' }}
          onChange={(value) => change({ density: value })}
        />
        <Choice
          label="Palette"
          value={palette}
          options={{ 'okabe-ito': 'Okabe–Ito', 'high-contrast': 'High contrast' }}
          onChange={(value) => change({ palette: value })}
          note="Runs also differ by shape and line style, whatever the colours."
        />
      </section>
      {machine.error !== undefined && (
        <ErrorState title="The settings file could not be read" error={machine.error} />
      )}
      {machine.settings !== undefined && <Paths settings={machine.settings} write={machine.write} />}
      <section className={styles.group} aria-label="Network">
        <h2>Network</h2>
        <Row label="Updates">
          Dyno does not look for updates and sends nothing: it reaches only the servers that a run names.
        </Row>
      </section>
    </div>
  );
}

type Write = (change: HostParams<'settings.write'>) => Promise<void>;

const toolNames = { nsys: 'Nsight Systems', ncu: 'Nsight Compute' } as const;

function Paths({ settings, write }: { readonly settings: MachineSettings; readonly write: Write }) {
  const { bridge } = useWorkbench();
  const tools = useTools();
  const choose = async (what: string, folder: boolean, take: (path: string) => Promise<void>) => {
    const path = await bridge.chooseOpenPath({ title: what, extensions: [], folder });
    if (path !== null) await take(path);
  };
  const { runs_folder: folder, runs_folder_now: now } = settings;
  return (
    <>
      <section className={styles.group} aria-label="Tools">
        <h2>Tools</h2>
        {(['nsys', 'ncu'] as const).map((tool) => {
          const found = tools.find((each) => each.tool === tool);
          const own = settings[tool];
          return (
            <Row
              key={tool}
              label={toolNames[tool]}
              buttons={
                <>
                  <Button
                    variant="default"
                    size="compact-xs"
                    onClick={() =>
                      void choose(`The executable ${tool}`, false, (path) => write({ [tool]: path }))
                    }
                  >
                    Choose {tool}…
                  </Button>
                  {own !== undefined && (
                    <Button variant="subtle" size="compact-xs" onClick={() => void write({ [tool]: null })}>
                      Find it on PATH
                    </Button>
                  )}
                </>
              }
            >
              <span className="mono selectable" data-testid={`path-${tool}`}>
                {own ?? found?.path ?? 'not found'}
              </span>
              {found?.path !== undefined && (
                <span className={styles.note}>
                  {own === undefined ? 'found on PATH or in the usual folders' : 'as set here'}
                  {found.version === undefined ? '' : `; version ${found.version}`}
                </span>
              )}
              {found?.missing !== undefined && <span className={styles.problem}>{found.missing}</span>}
            </Row>
          );
        })}
      </section>
      <section className={styles.group} aria-label="Files">
        <h2>Files</h2>
        <Row
          label="Runs folder"
          buttons={
            <>
              <Button variant="default" size="compact-xs" onClick={() => void bridge.showInFolder(now)}>
                Show
              </Button>
              <Button
                variant="default"
                size="compact-xs"
                onClick={() =>
                  void choose('Where runs are written', true, (path) => write({ runs_folder: path }))
                }
              >
                Choose folder…
              </Button>
              {folder !== undefined && (
                <Button variant="subtle" size="compact-xs" onClick={() => void write({ runs_folder: null })}>
                  Default
                </Button>
              )}
            </>
          }
        >
          <span className="mono selectable" data-testid="runs-folder">
            {now}
          </span>
          {folder !== undefined && folder !== now && (
            <span className={styles.note} data-testid="next-runs-folder">
              From the next start on: <span className="mono">{folder}</span>
            </span>
          )}
        </Row>
        <Row label="Settings file">
          <span className="mono selectable">{settings.file}</span>
          <span className={styles.note}>Tools and folders count for the command line too.</span>
        </Row>
      </section>
    </>
  );
}

interface RowProps {
  readonly label: string;
  readonly children: ReactNode;
  readonly buttons?: ReactNode;
}

const Row = ({ label, children, buttons }: RowProps) => (
  <div className={styles.row}>
    <span>{label}</span>
    <span className={styles.value}>{children}</span>
    <span className={styles.buttons}>{buttons}</span>
  </div>
);

interface ChoiceProps<T extends string> {
  readonly label: string;
  readonly value: T;
  readonly options: Readonly<Record<T, string>>;
  readonly onChange: (value: T) => void;
  readonly note?: string;
}

function Choice<T extends string>({ label, value, options, onChange, note }: ChoiceProps<T>) {
  const data = Object.entries<string>(options).map(([id, text]) => ({ value: id as T, label: text }));
  return (
    <Row label={label}>
      <SegmentedControl
        aria-label={label}
        data={data}
        value={value}
        onChange={(chosen) => {
          const found = data.find((each) => each.value === chosen);
          if (found !== undefined) onChange(found.value);
        }}
      />
      {note !== undefined && <span className={styles.note}>{note}</span>}
    </Row>
  );
}

/** The host's settings; what is refused is said in a notice, and nothing changes. */
function useMachineSettings() {
  const { client } = useWorkbench();
  const [settings, setSettings] = useState<MachineSettings>();
  const [error, setError] = useState<HostError>();
  useEffect(() => {
    let isCurrent = true;
    client.request('settings.read', {}).then(
      (found) => isCurrent && setSettings(found),
      (thrown: unknown) => isCurrent && setError(errorOf(thrown)),
    );
    return () => {
      isCurrent = false;
    };
  }, [client]);
  const write: Write = async (change) => {
    try {
      setSettings(await client.request('settings.write', change));
      // The tools are looked for again.
      window.dispatchEvent(new Event('focus'));
    } catch (thrown) {
      notifyError('The setting was not taken', errorOf(thrown));
    }
  };
  return { settings, error, write };
}
