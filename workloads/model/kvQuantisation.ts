import { type KvQuantisationSpec, kvValueBytes } from '../run/techniqueSpec.ts';
import type { ModelShape } from './shape.ts';

/** The shape with its KV cache stored in fewer bits, scales included. */
export const withKvQuantisation = (model: ModelShape, quantisation: KvQuantisationSpec): ModelShape => ({
  ...model,
  bytesPerKvValue: kvValueBytes(quantisation),
});
