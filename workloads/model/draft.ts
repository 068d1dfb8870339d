import { InputError } from '../run/inputError.ts';
import type { DraftSpec } from '../run/techniqueSpec.ts';
import type { Bytes } from '../units.ts';
import { findModel } from './models.ts';
import { headWeights, kvBytesPerToken, type ModelShape, weightBytes } from './shape.ts';

/** The shape that drafts for speculative decoding; undefined where none does. Throws InputError. */
export function draftShape(draft: DraftSpec, target: ModelShape): ModelShape | undefined {
  switch (draft.kind) {
    case 'model': {
      const model = findModel(draft.model);
      if (model !== undefined) return model;
      throw new InputError(`cluster.technique.draft.model: no model "${draft.model}" in the list of shapes`);
    }
    case 'head':
      return { ...target, id: `${target.id} head`, layers: draft.layers };
    case 'lookup':
      return undefined;
    default: {
      const never: never = draft;
      return never;
    }
  }
}

/** Memory that something beside the model takes on an instance. */
export interface MemoryBeside {
  readonly weights: Bytes;
  readonly kvPerToken: Bytes;
}

/** What a draft adds: weights (a head shares the target's embedding and lm_head), and KV of each token. Throws InputError. */
export function draftMemory(draft: DraftSpec, target: ModelShape): MemoryBeside {
  const shape = draftShape(draft, target);
  if (shape === undefined) return { weights: 0, kvPerToken: 0 };
  const shared = draft.kind === 'head' ? headWeights(shape) * (shape.tiedEmbeddings ? 1 : 2) : 0;
  return {
    weights: weightBytes(shape) - shared * shape.bytesPerWeight,
    kvPerToken: kvBytesPerToken(shape),
  };
}
