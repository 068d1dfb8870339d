import { Button, Tooltip } from '@mantine/core';
import { IconExternalLink } from '@tabler/icons-react';
import type { CaptureInfo } from '../../../electron/contract/protocol.ts';
import { showInNsight, useTools } from '../../state/capturesStore.ts';
import { useWorkbench } from '../../state/workbench.ts';

/** The report in NVIDIA's own window, where that is installed; else one sentence of why not. */
export function OpenInNsight({ capture }: { readonly capture: CaptureInfo }) {
  const workbench = useWorkbench();
  const tools = useTools();
  const presence = tools.find(({ tool }) => tool === capture.tool);
  const isReport = /\.(nsys-rep|qdrep|ncu-rep)$/i.test(capture.report ?? '');
  if (presence === undefined || !isReport) return null;
  const why =
    presence.ui === undefined ? `${presence.ui_missing ?? 'Nsight’s window was not found'}.` : presence.ui;
  return (
    <Tooltip label={why} multiline w={280}>
      {/* A disabled button swallows the pointer: the tooltip wants something around it. */}
      <span>
        <Button
          size="compact-xs"
          variant="default"
          disabled={presence.ui === undefined}
          leftSection={<IconExternalLink size={13} />}
          aria-description={why}
          onClick={() => void showInNsight(workbench, capture.capture)}
        >
          Open in Nsight
        </Button>
      </span>
    </Tooltip>
  );
}
