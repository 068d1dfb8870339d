import { nativeFolder } from '../../../native/index.ts';
import { cudaEngine } from '../../../workloads/engines/cuda/engine.ts';
import type { Engine } from '../../../workloads/run/engine.ts';
import { gpuHost } from '../../shared/gpuHost.ts';

/** Real kernels on the GPUs of this machine, through the addon. */
export const cuda = (): Promise<Engine> =>
  Promise.resolve(cudaEngine(gpuHost(nativeFolder(import.meta.url))));
