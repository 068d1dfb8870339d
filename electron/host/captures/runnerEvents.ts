import { createReadStream } from 'node:fs';
import type { KernelSummary } from '../../../workloads/kernels/kernelSummary.ts';
import type { Summary } from '../../../workloads/run/summary.ts';
import type { HostError } from '../../contract/hostError.ts';
import { StreamDecoder } from '../../shared/stream/decoder.ts';
import type { StreamMessage } from '../../shared/stream/message.ts';

/** The outcome of the run inside a capture. Its latencies are perturbed by the profiler and are no measurement. */
export interface CapturedRun {
  readonly status: 'done' | 'cancelled' | 'failed' | 'interrupted';
  readonly summary?: Summary | KernelSummary;
  readonly error?: HostError;
}

/** Reads the event file of a captured runner; `take` gets every message on the way (to store the tables). */
export async function readRunnerEvents(
  path: string,
  take: (message: StreamMessage) => void = () => undefined,
): Promise<CapturedRun> {
  const decoder = new StreamDecoder();
  let run: CapturedRun = { status: 'interrupted' };
  try {
    for await (const chunk of createReadStream(path)) {
      if (!(chunk instanceof Uint8Array)) continue;
      decoder.push(chunk, (message) => {
        if (message.kind === 'summary') run = { status: message.status, summary: message.summary };
        else if (message.kind === 'error') run = { status: 'failed', error: message.error };
        take(message);
      });
    }
  } catch {
    // A capture that was cut short leaves a torn stream: what came before it counts.
  }
  return run;
}
