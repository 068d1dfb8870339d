import { Button, NumberInput, Tooltip } from '@mantine/core';
import { useState } from 'react';
import { errorOf } from '../../state/hostClient.ts';
import { notifyError } from '../../state/notices.ts';
import { useWorkbench } from '../../state/workbench.ts';

/** Opens a request of a run: by its number, or the one with the longest end-to-end latency. */
export function FindRequest({
  run,
  onFound,
}: {
  readonly run: string;
  readonly onFound: (request: number) => void;
}) {
  const { client } = useWorkbench();
  const [wanted, setWanted] = useState<number | string>('');
  const look = async (question: { readonly request: number } | { readonly order: string }) => {
    try {
      const page = await client.request('runs.rows', {
        run,
        table: 'requests',
        limit: 1,
        ...('order' in question
          ? { order: question.order }
          : { filter: [{ column: 'request', op: '=', value: question.request }] }),
      });
      const found = page.columns.find(({ name }) => name === 'request')?.values[0];
      if (typeof found === 'number') onFound(found);
      else
        notifyError('No such request', {
          code: 'not_found',
          message:
            'request' in question ? `this run has no request ${question.request}` : 'this run has no request',
        });
    } catch (thrown) {
      notifyError('The request was not found', errorOf(thrown));
    }
  };
  return (
    <>
      <NumberInput
        aria-label="Request number"
        placeholder="Request…"
        w={96}
        min={0}
        allowDecimal={false}
        hideControls
        value={wanted}
        onChange={setWanted}
        onKeyDown={(event) => {
          if (event.key === 'Enter' && typeof wanted === 'number') void look({ request: wanted });
        }}
      />
      <Tooltip label="The request with the longest end-to-end latency">
        <Button variant="default" onClick={() => void look({ order: '-e2e_ms' })}>
          Slowest
        </Button>
      </Tooltip>
    </>
  );
}
