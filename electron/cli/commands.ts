import type { CommandLineCommand } from './commandLine.ts';
import { bench } from './commands/bench.ts';
import { calibrate } from './commands/calibrate.ts';
import { capacity } from './commands/capacity.ts';
import { capture } from './commands/capture.ts';
import { ceilings } from './commands/ceilings.ts';
import { compare } from './commands/compare.ts';
import { doctor } from './commands/doctor.ts';
import { exportCommand } from './commands/export.ts';
import { importCommand } from './commands/import.ts';
import { list } from './commands/list.ts';
import { models } from './commands/models.ts';
import { open } from './commands/open.ts';
import { predict } from './commands/predict.ts';
import { queue } from './commands/queue.ts';
import { report } from './commands/report.ts';
import { roofline } from './commands/roofline.ts';
import { route } from './commands/route.ts';
import { run } from './commands/run.ts';
import { runs } from './commands/runs.ts';
import { serve } from './commands/serve.ts';
import { servers } from './commands/servers.ts';
import { startHeadless } from './commands/startHeadless.ts';
import { sweep } from './commands/sweep.ts';
import { telemetry } from './commands/telemetry.ts';
import { topology } from './commands/topology.ts';
import { trace } from './commands/trace.ts';

/** Every command of `dyno`, in the order of its help. */
export const commands: readonly CommandLineCommand[] = [
  list,
  models,
  run,
  bench,
  capacity,
  sweep,
  compare,
  runs,
  trace,
  open,
  servers,
  serve,
  route,
  queue,
  roofline,
  calibrate,
  predict,
  capture,
  topology,
  ceilings,
  telemetry,
  exportCommand,
  importCommand,
  report,
  doctor,
  startHeadless,
];
