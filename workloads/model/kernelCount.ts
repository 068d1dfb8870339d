import type { ModelShape } from './shape.ts';

/**
 * Kernels of one forward pass, as inference engines fuse them (vLLM and SGLang with a compiled graph). Each costs some microseconds beside its
 * arithmetic and traffic: its launch inside the graph, its first loads, its last wave. Small models are bound by that count.
 *
 *     every layer       norm with residual, QKV, rotary embedding, KV write, attention, its reduction, output projection,
 *                       norm with residual                                                                            8
 *     dense MLP         gate and up, activation, down                                                                 3
 *     experts           router, top-k, two of alignment, quantisation or padding twice, gate and up, activation, down,
 *                       weighted sum                                                                               10
 *     shared expert     gate and up, activation, down, sum                                                            4
 *     latent attention  two more projections, two norms, absorbed key and value products                              6
 *     8-bit weights     activations are quantised before the output projection and down; elsewhere with what is before   2
 */
export function kernelsPerPass(m: ModelShape): number {
  const { experts } = m;
  const dense = experts === undefined ? m.layers : experts.denseLayers;
  const sparse = m.layers - dense;
  const sharing = experts !== undefined && experts.sharedIntermediate > 0 ? 4 : 0;
  const latent = m.latent === undefined ? 0 : 6;
  const quantised = m.bytesPerWeight === 1 ? 2 : 0;
  return m.layers * (8 + latent + quantised) + dense * 3 + sparse * (10 + sharing);
}
