import type { HostMethod } from '../../contract/protocol.ts';
import { type Methods, requireGranted } from '../client.ts';
import type { SweepQueue } from './sweepQueue.ts';

type SweepMethod = Extract<HostMethod, `sweeps.${string}`>;

/** The methods that the window and the command line call for sweeps. */
export const sweepMethods = (sweeps: SweepQueue): Pick<Methods, SweepMethod> => ({
  'sweeps.start': async (order, client) => {
    await requireGranted(client, order.spec);
    const { folder, ...rest } = order;
    return {
      sweep: await sweeps.start(
        folder === undefined ? rest : { ...rest, folder: await client.grants.write(folder) },
      ),
    };
  },
  'sweeps.resume': async ({ sweep, jobs }) => ({ sweep: await sweeps.resume(sweep, jobs) }),
  'sweeps.cancel': ({ sweep }) => {
    sweeps.cancel(sweep);
    return {};
  },
  'sweeps.list': async () => ({ sweeps: await sweeps.list() }),
  'sweeps.read': ({ sweep }) => sweeps.read(sweep),
  'sweeps.delete': async ({ sweep }) => {
    await sweeps.remove(sweep);
    return {};
  },
});
