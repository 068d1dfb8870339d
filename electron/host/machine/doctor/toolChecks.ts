import { CaptureError } from '../../captures/captureError.ts';
import { type FoundTool, findTool, isAtLeast, type ToolId } from '../../captures/tools.ts';
import { type Check, type Finding, limited, missing, ok } from './finding.ts';
import { counters } from './gpuChecks.ts';
import { type Machine, readSmall } from './machine.ts';

/** Nsight on this machine, and whether this user gets anything out of it. */
export function toolChecks(machine: Machine): readonly Check[] {
  return [
    {
      id: 'nsys',
      title: 'Nsight Systems',
      neededFor: 'timeline captures (nsys) of a run; reports made elsewhere open without it',
      look: () => search(machine, 'nsys', nsysUse),
    },
    {
      id: 'ncu',
      title: 'Nsight Compute',
      neededFor: 'kernel counters and rooflines of single kernels (ncu)',
      look: () => search(machine, 'ncu', ncuUse),
    },
  ];
}

/** A profiler that hangs must not outlive the doctor. */
const toolAnswerMs = 8_000;

async function search(
  machine: Machine,
  tool: ToolId,
  use: (machine: Machine, found: FoundTool, text: string) => Finding,
): Promise<Finding> {
  const setting = machine.tools?.[tool];
  try {
    const found = await findTool(tool, {
      timeoutMs: toolAnswerMs,
      ...(setting === undefined ? {} : { setting }),
      ...(machine.env['PATH'] === undefined ? {} : { pathVariable: machine.env['PATH'] }),
      ...(machine.toolFolders === undefined ? {} : { folders: machine.toolFolders }),
    });
    return use(machine, found, `${found.version.text} at ${found.path}`);
  } catch (error) {
    if (error instanceof CaptureError) return missing(error.message, error.hint);
    throw error;
  }
}

/** The kernel lets an ordinary user sample the CPU up to this level of perf_event_paranoid. */
const mostParanoid = 2;

function nsysUse(machine: Machine, { version }: FoundTool, text: string): Finding {
  if (!isAtLeast(version, 2023, 1)) {
    return limited(
      `${text}: kernel timelines work, but it does not record what came with Hopper (clusters)`,
      'Install a newer one: developer.nvidia.com/nsight-systems',
    );
  }
  const paranoid = Number(readSmall(machine.procfs, 'sys/kernel/perf_event_paranoid') ?? mostParanoid);
  return paranoid > mostParanoid
    ? ok(`${text}; CPU sampling is off here (perf_event_paranoid ${paranoid}), Dyno’s captures do without it`)
    : ok(text);
}

function ncuUse(machine: Machine, _found: FoundTool, text: string): Finding {
  const { state, found } = counters(machine);
  if (state === 'ok') return ok(text);
  return limited(
    state === 'missing' ? `${text}; there is no GPU here to profile` : `${text}; counters are ${found}`,
    state === 'missing' ? undefined : 'See “GPU performance counters”.',
  );
}
