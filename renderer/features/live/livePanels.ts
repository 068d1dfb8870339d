import type { LivePanel } from './livePanel.ts';
import { fleet } from './panels/fleet.tsx';
import { gpus } from './panels/gpus.tsx';
import { instances } from './panels/instances.tsx';
import { tpot, ttft } from './panels/latency.tsx';
import { load } from './panels/load.tsx';
import { pools } from './panels/pools.tsx';
import { rates } from './panels/rates.tsx';
import { utilisation } from './panels/utilisation.tsx';
import { workload } from './panels/workload.tsx';

/** The registry: the panels of the live view, from top to bottom. A panel is drawn while the run has data for it. */
export const livePanels: readonly LivePanel[] = [
  workload,
  ttft,
  tpot,
  pools,
  fleet,
  load,
  rates,
  utilisation,
  gpus,
  instances,
];
