import { Spotlight, useSpotlight } from '@mantine/spotlight';
import { IconSearch } from '@tabler/icons-react';
import { commands } from '../../electron/contract/commands.ts';
import { chooseTarget, go } from '../state/actions.ts';
import { catalogue } from '../state/catalogue.ts';
import { canRun, runCommand } from '../state/commandRegistry.ts';
import { paletteStore } from '../state/palette.ts';
import { useWorkbench } from '../state/workbench.ts';
import { Keys } from '../ui/Keys.tsx';

/** Every command and every target, by name. */
export function CommandPalette() {
  const workbench = useWorkbench();
  // Which commands can run is asked each time it opens.
  const { opened } = useSpotlight(paletteStore);
  const groups = opened ? actionsNow(workbench) : [];
  return (
    <Spotlight
      store={paletteStore}
      shortcut={null}
      actions={groups}
      nothingFound="No command or workload has this name"
      highlightQuery
      limit={40}
      maxHeight={420}
      scrollable
      searchProps={{
        leftSection: <IconSearch size={16} />,
        placeholder: 'Run a command, open a workload …',
        'aria-label': 'Search commands',
      }}
      size={560}
      attributes={{ content: { 'aria-label': 'Command palette' } }}
      yOffset={80}
      overlayProps={{ backgroundOpacity: 0.35 }}
      shadow="xs"
      styles={{ content: { background: 'var(--surface-1)', border: '1px solid var(--line-strong)' } }}
      transitionProps={{ duration: 0 }}
    />
  );
}

function actionsNow(workbench: ReturnType<typeof useWorkbench>) {
  const usable = commands.filter((command) => command.id !== 'help.palette' && canRun(workbench, command.id));
  return [
    {
      group: 'Commands',
      actions: usable.map((command) => ({
        id: command.id,
        label: `${command.menu}: ${command.title}`,
        onClick: () => void runCommand(workbench, command.id),
        rightSection: command.keys === undefined ? null : <Keys keys={command.keys} />,
      })),
    },
    {
      group: 'Workloads',
      actions: catalogue.map((target) => ({
        id: target.id,
        label: target.title,
        description: target.id,
        onClick: () => {
          chooseTarget(workbench, target.id);
          go(workbench, 'run');
        },
      })),
    },
  ];
}
