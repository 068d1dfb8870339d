import { declareModels } from '../../model/models.ts';
import type { Engine } from '../../run/engine.ts';
import { gpuOffers } from '../../run/offers.ts';
import { wholeBlocks } from '../../traffic/wholeBlocks.ts';
import { WallRun } from '../wall/wallRun.ts';
import { checkGpuSpec } from './checkGpuSpec.ts';
import { GpuCluster } from './gpuCluster.ts';
import type { GpuHost } from './gpuHost.ts';

/** Serving on GPUs: the cluster's own batches, routers and admission, passes run by a device in real time. */
export const cudaEngine = (host: GpuHost): Engine => ({
  id: 'cuda',
  virtualTime: false,
  offers: gpuOffers,
  check: (spec, traffic) => {
    declareModels(spec);
    checkGpuSpec(spec, traffic);
  },
  open: (spec, trafficOf, sink, time) => {
    declareModels(spec);
    const cluster = new GpuCluster(spec, host, sink);
    const whole = (replicate: number) => {
      const traffic = trafficOf(replicate);
      // Partly filled blocks cannot be shared, but their tokens are equal all the same.
      cluster.prompts = traffic;
      return wholeBlocks(traffic);
    };
    checkGpuSpec(spec, whole(0));
    return WallRun.open(spec, whole, sink, time, {
      maker: cluster.replicas,
      prepare: (replicate, traffic) => {
        if (replicate > 0) checkGpuSpec(spec, traffic);
        return cluster.prepare(traffic);
      },
      failure: () => cluster.failure,
      close: () => cluster.close(),
    });
  },
});
