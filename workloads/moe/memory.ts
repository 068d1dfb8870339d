import { alwaysReadWeights, headWeights, kvBytesPerToken, type ModelShape } from '../model/shape.ts';

/**
 * KV blocks of one data-parallel rank (`tensorParallel` GPUs) beside its dense weights and its share of the experts. The same rule
 * as `kvBlocksThatFit`: a share of the memory, less weights, less a fixed room for activations; but a KV cache that tensor
 * parallelism cannot divide is held by every GPU.
 */
export function kvBlocksBesideExperts(
  m: ModelShape,
  memoryBytes: number,
  tensorParallel: number,
  ranks: number,
  redundant: number,
  blockTokens: number,
  memoryShare = 0.9,
): number {
  if (m.experts === undefined) return 0;
  const { count, intermediate, denseLayers } = m.experts;
  const perGpu = Math.ceil((count + redundant) / ranks);
  const experts = perGpu * (m.layers - denseLayers) * 3 * m.hidden * intermediate * m.bytesPerWeight;
  const dense = (alwaysReadWeights(m) + headWeights(m) * (m.tiedEmbeddings ? 1 : 2)) * m.bytesPerWeight;
  const activationRoom = 3e9;
  const room = memoryBytes * memoryShare - activationRoom - experts - dense / tensorParallel;
  return Math.max(0, Math.floor((room * kvDivisor(m, tensorParallel)) / (kvBytesPerToken(m) * blockTokens)));
}

/**
 * Over how many of its GPUs tensor parallelism divides the KV cache: at most one KV head each. A latent cache has no heads to
 * divide, so every GPU holds all of it: the reason why DeepSeek's models are served with data-parallel attention.
 */
export const kvDivisor = (m: ModelShape, tensorParallel: number): number =>
  m.latent === undefined ? Math.min(tensorParallel, m.kvHeads) : 1;
