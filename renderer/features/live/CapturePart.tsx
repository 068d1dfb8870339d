import { Button, Menu } from '@mantine/core';
import { IconFocusCentered } from '@tabler/icons-react';
import type { CaptureTool } from '../../../electron/contract/protocol.ts';
import type { RunKindId } from '../../../electron/contract/runKind.ts';
import { startPart, useTools } from '../../state/capturesStore.ts';
import { useWindow, useWorkbench } from '../../state/workbench.ts';
import { kindViews } from '../kinds/kindViews.ts';

interface CapturePartProps {
  readonly run: string;
  readonly kind: RunKindId;
}

/** “Capture exactly this”: the selected range of a finished run, replayed under a profiler. */
export function CapturePart({ run, kind }: CapturePartProps) {
  const workbench = useWorkbench();
  const range = useWindow((state) => state.ranges.at(-1));
  const tools = useTools();
  const { replayHint, uncountable } = kindViews[kind];
  if (range === undefined) return null;
  const start = (tool: CaptureTool) =>
    void startPart(workbench, { run, tool, from_ns: range.fromMs * 1e6, to_ns: range.toMs * 1e6 });
  const item = (tool: CaptureTool, label: string, cannot?: string) => {
    const presence = tools.find((each) => each.tool === tool);
    const problem = cannot ?? presence?.missing;
    return (
      <Menu.Item
        disabled={problem !== undefined || presence?.path === undefined}
        title={problem}
        onClick={() => start(tool)}
      >
        {label}
      </Menu.Item>
    );
  };
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <Button
          size="compact-xs"
          variant="default"
          leftSection={<IconFocusCentered size={13} />}
          title={replayHint}
        >
          Capture exactly this
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        {item('nsys', 'with Nsight Systems')}
        {item('ncu', 'with Nsight Compute', uncountable)}
      </Menu.Dropdown>
    </Menu>
  );
}
